/**
 * Who gives a command: the dashboard, the command line, or code, and in whose name. What is issued within
 * {@link actingAs} is theirs; the journal writes it down. Underneath: `AsyncLocalStorage`.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { oneLine } from '../errors/describe.js';
import type { CommandKind, CommandSource } from '../telemetry/events.js';
import type { Telemetry } from '../telemetry/telemetry.js';

/** Characters that are kept of a name, and of a reason. */
export const MAX_ACTOR = 100;
export const MAX_REASON = 200;

/** See the file header. */
export interface Actor {
  via: CommandSource;
  /** As they call themselves; nobody has checked it. */
  name?: string | undefined;
  /** Why they do it, in a few words. */
  reason?: string | undefined;
}

const ACTORS = new AsyncLocalStorage<Actor>();

/** Runs work whose commands are given by this actor. */
export function actingAs<T>({ via, name, reason }: Actor, work: () => T): T {
  const actor: Actor = { via };
  if (name) actor.name = oneLine(name, MAX_ACTOR);
  if (reason) actor.reason = oneLine(reason, MAX_REASON);
  return ACTORS.run(actor, work);
}

/** What a command was about. */
export interface CommandSubject {
  process?: string;
  /** The node that is drained, or that a process should move to. */
  target?: string;
}

/** Says which commands were given on this node, and by whom. */
export class IssuedCommands {
  constructor(
    private readonly telemetry: Pick<Telemetry, 'emit'>,
    private readonly node: string,
  ) {}

  /** One has been accepted; what follows of it may still go on. */
  issued(command: CommandKind, subject: CommandSubject): void {
    const { via = 'code', name, reason } = ACTORS.getStore() ?? {};
    this.telemetry.emit('command.issued', {
      command,
      node: this.node,
      via,
      ...(name === undefined ? {} : { actor: name }),
      ...(reason === undefined ? {} : { why: reason }),
      ...subject,
    });
  }
}
