// Python and CSS sources are imported as text (`with { type: "text" }`) and compiled into the executable.
declare module "*.py" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: a text import has no other form
  export default text;
}
declare module "*.css" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: a text import has no other form
  export default text;
}
// A wheel is imported as the path of its file (`with { type: "file" }`), which node:fs can read in the executable too.
declare module "*.whl" {
  const path: string;
  // biome-ignore lint/style/noDefaultExport: a file import has no other form
  export default path;
}
