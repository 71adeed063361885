export { ERROR_CODES, LIBRARY_NAME, LIBRARY_SOURCE, LIBRARY_VERSION } from './conversation.gen.ts';
export { ConversationError, type ConversationErrorCode } from './errors.ts';
export { checkLibrary, type LoadOptions, loadLibrary, type NodeReport } from './library/loading.ts';
export type { LibraryReport } from './library/report.ts';
export type * from './options.ts';
export type * from './state.ts';
export { ConversationStore } from './store.ts';
export type { CallTrace } from './trace.ts';
