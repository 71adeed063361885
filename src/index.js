export { ERROR_CODES, LIBRARY_NAME, LIBRARY_SHA256, LIBRARY_SOURCE, LIBRARY_VERSION } from './conversation.gen.ts';
export { ConversationError } from './errors.ts';
export { checkLibrary, loadLibrary } from './library/deploy.ts';
export { ConversationStore, } from './store.ts';
