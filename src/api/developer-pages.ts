/** What the pages for developers need to know of this installation. */
export abstract class DeveloperPages {
  abstract readonly sandbox: boolean;
  /** Where the sandbox gateway listens, as this machine's browsers and commands reach it. */
  abstract readonly sandboxUrl: string;
  abstract readonly publicUrl: string;
  /** The key that the sandbox made up for itself; null where the user has set one, which is not shown. */
  abstract readonly madeUpKey: string | null;
}

const loopback = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/i;

/**
 * The key that a page may hold: the sandbox's own, for whoever asked by a name that is ours. A page of another site whose
 * name was made to lead here (DNS rebinding) comes with that name, and gets none.
 */
export function keyShownTo(host: string | undefined, { madeUpKey, publicUrl, sandbox }: DeveloperPages): string | null {
  if (!sandbox || host === undefined) return null;
  return loopback.test(host) || host === new URL(publicUrl).host ? madeUpKey : null;
}
