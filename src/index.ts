export { ERROR_CODES, LIBRARY_NAME, LIBRARY_SHA256, LIBRARY_SOURCE, LIBRARY_VERSION } from './conversation.gen.ts';
export { checkLibrary, loadLibrary, type NodeReport } from './deploy.ts';
export { ConversationError, type ConversationErrorCode } from './errors.ts';
export type { LibraryReport, LoadOptions } from './library.ts';
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
