/** The token of the process's general pool; the event store and the jobs have pools of their own. */
export const DatabasePool = Symbol('DatabasePool');
