import type { ChatMessage } from './events.ts';

/** What a message asks for. */
export interface Command {
  /** 65 for `#65`, the text for keys such as WEB-12. */
  ticketId: number | string;
  project: string;
  /** Whether it is to replace what runs in the channel. */
  instead: boolean;
}

const TICKET = String.raw`(?<ticket>#\d{1,9}|[A-Z][A-Z\d]{0,19}-\d{1,9})\s+in\s+(?<project>[\w.-]+)`;
const COMMAND = new RegExp(String.raw`\bfix\s+(?:this\b|${TICKET})(?<instead>\s+instead\b)?`, 'i');

/** Finds `fix #65 in todo-list`, `fix WEB-12 in shop instead` or, where the channel is about a ticket, `fix this`. */
export function commandOf(message: ChatMessage): Command | undefined {
  const found = COMMAND.exec(message.text)?.groups;
  if (!found) return undefined;
  const { ticket, project, instead } = found;
  const named = ticket && project ? { ticketId: ticketIdOf(ticket), project } : message.ticket;
  return named && { ...named, instead: instead !== undefined };
}

function ticketIdOf(ticket: string): number | string {
  return ticket.startsWith('#') ? Number(ticket.slice(1)) : ticket.toUpperCase();
}
