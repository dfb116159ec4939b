// Waits for things that send no event: a line in a log, a file, the end of a process.

/** Poll until `isTrue` returns true; after `timeoutMs` throw an error that names what was awaited. */
export async function until(
  what: string | (() => string),
  isTrue: () => boolean | Promise<boolean>,
  timeoutMs = 20_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await isTrue())) {
    if (Date.now() > deadline) {
      throw new Error(`waited ${timeoutMs / 1000} s for ${typeof what === "string" ? what : what()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
