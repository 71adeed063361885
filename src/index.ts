export { ERROR_CODES, LIBRARY_NAME, LIBRARY_SOURCE, LIBRARY_VERSION } from './conversation.gen.ts';
export { ConversationError, type ConversationErrorCode } from './errors.ts';
export { checkLibrary, type LoadOptions, loadLibrary, type NodeReport } from './library/loading.ts';
export type { LibraryReport } from './library/report.ts';
export type {
  AnswerOptions,
  ClaimOptions,
  ConversationStoreOptions,
  DueOptions,
  Fields,
  GetByJobIdOptions,
  HandOverOptions,
  InboxOptions,
  ListOptions,
  Logger,
  NoStream,
  PublishOptions,
  QuestionOptions,
  RemoveOptions,
  ReplicaOptions,
  StartOptions,
  StreamOptions,
  UpdateOptions,
  WriteOptions,
} from './options.ts';
export type {
  AnswerResult,
  ChannelReference,
  ClaimResult,
  ConversationPatch,
  ConversationReference,
  ConversationState,
  DueJob,
  FencedReference,
  HandOverResult,
  InboxEntry,
  JobReference,
  Json,
  LastAnswer,
  Members,
  NewConversationState,
  RemoveResult,
  StoredConversationState,
  UpdateResult,
} from './state.ts';
export { ConversationStore } from './store.ts';
export type { CallTrace } from './trace.ts';
