/** The token of the pool that requests use; the event store and the jobs have pools of their own. */
export const DatabasePool = Symbol('DatabasePool');

/** The token of the pool of what works behind the requests, so that a backlog there keeps no request waiting. */
export const BackgroundPool = Symbol('BackgroundPool');
