/** Lets a loop sleep until something happens. A signal that comes while nobody sleeps ends the next sleep at once. */
export class Wakeup {
  private signalled = false;
  private wake: (() => void) | null = null;

  signal(): void {
    this.signalled = true;
    this.wake?.();
  }

  /** Forgets earlier signals; call it before looking at what they announce. */
  clear(): void {
    this.signalled = false;
  }

  /** Sleeps `ms` at most. */
  async sleep(ms: number): Promise<void> {
    if (this.signalled) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wake = null;
  }
}
