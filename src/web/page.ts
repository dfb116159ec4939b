export interface PageData { info: unknown; settings: readonly unknown[]; endpoints: readonly unknown[]; prefix: string }
export const contentSecurityPolicy = "default-src 'none'";
export function renderPage(_data: PageData): string { return "<!doctype html><title>TabPy</title>"; }
