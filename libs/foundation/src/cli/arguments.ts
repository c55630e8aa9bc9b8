/**
 * Pure: the words after `foundation` → which command, on what, with which options; and the text of `--help`.
 * Called by `run.ts`. Underneath `node:util` parseArgs.
 */
import { parseArgs } from 'node:util';
import { parseDuration } from '../time/duration.js';

const LONGEST_WAIT_MS = 86_400_000;

/** The words cannot be understood; the exit code is 2. */
export class UsageError extends Error {}

/** The commands, with the arguments that each takes. */
export const COMMANDS = {
  status: { takes: [], says: 'the nodes, processes and services of the cluster, and its health' },
  top: { takes: [], says: 'the same live, with rates and durations of methods, handlers and jobs; Ctrl-C ends it' },
  doctor: { takes: [], says: 'checks what the configuration needs, step by step, and says what is wrong' },
  drain: { takes: ['NODE'], says: 'moves everything that a node owns to others; it takes nothing new' },
  undrain: { takes: ['NODE'], says: 'lets a node that was drained take work again' },
  wait: { takes: [], says: 'until so many nodes are ready and everything that is wanted runs' },
  rollout: {
    takes: [],
    or: ['NODE'],
    says: 'replaces the nodes one by one, or one of them, by the command after --',
  },
  move: { takes: ['PROCESS', 'NODE'], says: 'moves a process to a node by planned hand-over' },
  restart: { takes: ['PROCESS'], says: 'stops a process and starts it again; forgets its crashes' },
  history: {
    takes: [],
    or: ['PROCESS'],
    says: 'what happened in the cluster, or to one process, and who asked for it',
  },
  cron: { takes: [], or: ['run', 'JOB'], says: 'the cluster-wide cron jobs; with "run" runs one now' },
  forget: { takes: ['PROCESS'], says: 'forgets a process that no node declares any longer' },
} as const satisfies Record<string, { takes: readonly string[]; or?: readonly string[]; says: string }>;

/** The name of a command. */
export type CommandName = keyof typeof COMMANDS;

/** What follows from the words. */
export interface Invocation {
  command: CommandName | 'help' | 'version';
  args: string[];
  json: boolean;
  redis?: string;
  app?: string;
  /** A file of variables, as `.env`. */
  envFile?: string;
  /** Milliseconds between two polls of `top`. */
  interval: number;
  /** `top` ends after the first. */
  once: boolean;
  /** How many nodes `wait` and `rollout` wait for; `rollout` without it for as many as there were. */
  ready: number;
  isReadyGiven: boolean;
  /** How long they wait, in milliseconds. */
  forMs: number;
  /** The words after `--`: the command of `rollout`, with `{node}`, `{host}` and `{pid}` in place of what they are. */
  words: string[];
  /** Which entries `history` shows. */
  query: HistoryWords;
  /** Why a command is given, for the journal. */
  reason?: string;
}

/** Of `history`, as they were given. */
export interface HistoryWords {
  since?: string;
  until?: string;
  kind?: string;
  node?: string;
  limit: number;
}

const OPTIONS = {
  redis: { type: 'string' },
  app: { type: 'string' },
  'env-file': { type: 'string' },
  json: { type: 'boolean' },
  interval: { type: 'string' },
  since: { type: 'string' },
  until: { type: 'string' },
  kind: { type: 'string' },
  node: { type: 'string' },
  limit: { type: 'string' },
  reason: { type: 'string' },
  once: { type: 'boolean' },
  ready: { type: 'string' },
  for: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const;

/** Options of some commands; with another one, they would be left out in silence. */
const TAKEN_BY: Readonly<Partial<Record<keyof typeof OPTIONS, readonly CommandName[]>>> = {
  ...{ interval: ['top'], once: ['top'] },
  ...{ since: ['history'], until: ['history'], kind: ['history'], node: ['history'], limit: ['history'] },
  ...{ ready: ['wait', 'rollout'], for: ['wait', 'rollout'] },
  reason: ['drain', 'undrain', 'move', 'restart', 'rollout', 'cron', 'forget'],
};

/**
 * Reads the words.
 *
 * @throws UsageError for what is no command, argument or option; the message shows no value, which may be a secret.
 */
export function readCommand(argv: readonly string[]): Invocation {
  const { values, positionals, words } = parse(argv);
  const [name, ...args] = positionals;
  const { redis, app, json = false, once = false, 'env-file': envFile, reason } = values;
  const common = {
    query: queryFrom(values),
    args,
    json,
    once,
    interval: intervalFrom(values.interval),
    ready: wholeFrom('--ready', 'nodes', values.ready ?? '1'),
    isReadyGiven: values.ready !== undefined,
    forMs: timeFrom(values.for),
    words,
    ...(redis === undefined ? {} : { redis }),
    ...(app === undefined ? {} : { app }),
    ...(envFile === undefined ? {} : { envFile }),
    ...(reason === undefined ? {} : { reason }),
  };
  if (values.version === true) return { ...common, command: 'version' };
  if (values.help === true || name === 'help') return { ...common, command: 'help' };
  if (name === undefined) throw new UsageError('No command was given.');
  if (!Object.hasOwn(COMMANDS, name)) {
    throw new UsageError(`Unknown command. Available: ${Object.keys(COMMANDS).join(', ')}.`);
  }
  const command = name as CommandName;
  const { takes, or }: { takes: readonly string[]; or?: readonly string[] } = COMMANDS[command];
  // What is in capitals stands for what is given.
  const isOther = or?.length === args.length && or.every((word, index) => /^[A-Z]/.test(word) || word === args[index]);
  if (args.length !== takes.length && !isOther) {
    const ways = [takes, ...(or === undefined ? [] : [or])].map((words) => [name, ...words].join(' '));
    const isBare = takes.length === 0 && or === undefined;
    throw new UsageError(isBare ? `${name} takes no arguments.` : `Write: ${ways.join(', or: ')}`);
  }
  for (const option of Object.keys(values) as (keyof typeof OPTIONS)[]) {
    const takers = TAKEN_BY[option];
    if (takers !== undefined && !takers.includes(command)) {
      throw new UsageError(`${name} takes no --${option}; it is of ${takers.join(', ')}.`);
    }
  }
  if (command === 'rollout' && words.length === 0) {
    throw new UsageError('Write the command that restarts a node: rollout -- ssh {host} systemctl restart shop');
  }
  return { ...common, command };
}

/** What follows `--` are arguments, which may begin with a dash; of `rollout` it is a command. */
function parse(argv: readonly string[]) {
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
  try {
    const read = (args: readonly string[]) => parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
    const head = read(argv.slice(0, end));
    if (head.positionals[0] === 'rollout') return { ...head, words: argv.slice(end + 1) };
    return { ...read(argv), words: [] };
  } catch (error) {
    const { message } = error as Error;
    const [, option] = /^Option '(--[a-z-]+)' argument is ambiguous/.exec(message) ?? [];
    if (option !== undefined) {
      throw new UsageError(`${option} has no value before what follows. One that begins with a dash: ${option}=-VALUE`);
    }
    // The rest is about writing arguments that begin with a dash, of which there are none.
    throw new UsageError(`${message.split(/\.?(?:\s*\n|\. )/)[0]}.`);
  }
}

function queryFrom({
  since,
  until,
  kind,
  node,
  limit = '50',
}: Partial<Record<keyof HistoryWords, string>>): HistoryWords {
  return {
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(kind === undefined ? {} : { kind }),
    ...(node === undefined ? {} : { node }),
    limit: wholeFrom('--limit', 'entries', limit),
  };
}

function wholeFrom(option: string, of: string, given: string): number {
  const count = /^\d{1,4}$/.test(given) ? Number(given) : 0;
  if (count < 1 || count > 1000) throw new UsageError(`${option} takes a number of ${of}, from 1 to 1000.`);
  return count;
}

function timeFrom(given = '60s'): number {
  const ms = parseDuration(given);
  if (ms !== undefined && ms >= 1 && ms <= LONGEST_WAIT_MS) return ms;
  throw new UsageError('--for takes a time with its unit, such as 90s or 10m, up to 24h.');
}

function intervalFrom(seconds = '1'): number {
  const value = Number(seconds);
  if (seconds.trim() !== '' && value >= 0.1 && value <= 3600) return value * 1000;
  throw new UsageError('--interval takes seconds, from 0.1 to 3600.');
}

/** The text of `--help`. */
export function usage(): string[] {
  const commands = Object.entries(COMMANDS).map(([name, { takes, says, ...more }]) => {
    const or = 'or' in more ? [`[${more.or.join(' ')}]`] : [];
    return `  ${[name, ...takes, ...or].join(' ').padEnd(20)}  ${says}`;
  });
  return [
    'foundation <command> [options]: inspects a Foundation cluster from outside; it never becomes a member.',
    '',
    ...commands,
    '',
    '  --redis URL           where Redis is; default FOUNDATION_REDIS_URL, REDIS_URL, or it is searched for',
    '  --app NAME            the name of the cluster; default FOUNDATION_APP_NAME, then package.json',
    '  --env-file FILE       reads variables that are not set from a file, such as .env',
    '  --json                one JSON value instead of text',
    '  --interval SECONDS    of top; default 1',
    '  --since, --until TIME of history: how long ago (15m, 1d), or a date such as 2026-11-30T06:00',
    '  --kind KIND           of history: such as process.crashed, or process.*',
    '  --node NODE           of history',
    '  --limit NUMBER        of history: the newest so many entries; default 50',
    '  --ready NUMBER        of wait and rollout: so many nodes; default 1, and as many as there were',
    '  --for TIME            of wait and rollout: how long at most, for each node; default 60s',
    '  --reason TEXT         why you drain, move, restart …: it is in the history',
    '  --once                top prints once and ends',
    '  -h, --help   -v, --version',
    '',
    'A password is better given in FOUNDATION_REDIS_URL than in --redis, which others on this machine can see.',
    'Exit code: 0 all is well, 1 something is wrong, 2 invalid usage.',
  ];
}
