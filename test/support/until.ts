// Waiting for something that tells nobody: a line in a log, a file, the end of a process.

/** Poll until `isTrue` holds; after `timeoutMs` throw an error that says what was waited for. */
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
