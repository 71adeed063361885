export { ERROR_CODES, LIBRARY_NAME, LIBRARY_SHA256, LIBRARY_SOURCE, LIBRARY_VERSION } from './conversation.gen.ts';
export { ConversationError, type ConversationErrorCode } from './errors.ts';
export { checkLibrary, type LibraryReport, type LoadOptions, loadLibrary } from './library.ts';
export type {
  AnswerResult,
  ChannelReference,
  ClaimResult,
  ConversationReference,
  ConversationState,
  JobReference,
  LastAnswer,
  NewConversationState,
  RemoveResult,
  StoredConversationState,
} from './state.ts';
export {
  type AnswerOptions,
  ConversationStore,
  type ConversationStoreOptions,
  type GetByJobIdOptions,
  type Logger,
  type WriteOptions,
} from './store.ts';
