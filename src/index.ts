export { ERROR_CODES, LIBRARY_NAME, LIBRARY_SHA256, LIBRARY_SOURCE, LIBRARY_VERSION } from './conversation.gen.ts';
export { ConversationError, type ConversationErrorCode } from './errors.ts';
export { checkLibrary, loadLibrary, type NodeReport } from './library/deploy.ts';
export type { LibraryReport, LoadOptions } from './library/library.ts';
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
  type ClaimOptions,
  ConversationStore,
  type ConversationStoreOptions,
  type GetByJobIdOptions,
  type Logger,
  type WriteOptions,
} from './store.ts';
