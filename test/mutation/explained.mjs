/* eslint-disable max-lines -- one list of mutants */
// Mutants that no test can kill, because what they change makes no difference, with the reasons: the file, its line,
// and the line as `npm run mutations` shows it after the plus.
const EXPLAINED = [
  {
    why: 'No clock stands at 0, and -1 is the only time below it.',
    lines: [
      [
        'lease.scripts.ts',
        "return tonumber(sent) >= 0 and now - tonumber(sent) <= tonumber(wait), string.format('%.0f', now)",
        "return tonumber(sent) > 0 and now - tonumber(sent) <= tonumber(wait), string.format('%.0f', now)",
      ],
      ['lease.scripts.ts', 'fresh = fresh or tonumber(ARGV[2]) < 0', 'fresh = fresh or tonumber(ARGV[2]) <= 0'],
      [
        'lease.scripts.ts',
        "if (fresh or tonumber(ARGV[7]) < 0) and redis.call('PTTL', lease) < tonumber(ttl) then",
        "if (fresh or tonumber(ARGV[7]) <= 0) and redis.call('PTTL', lease) < tonumber(ttl) then",
      ],
    ],
  },
  {
    why: 'A limit that is met to the millisecond: either answer is right, and no test can have it happen.',
    lines: [
      [
        'lease.scripts.ts',
        "return tonumber(sent) >= 0 and now - tonumber(sent) <= tonumber(wait), string.format('%.0f', now)",
        "return tonumber(sent) >= 0 and now - tonumber(sent) < tonumber(wait), string.format('%.0f', now)",
      ],
      [
        'owner.scripts.ts',
        'if pttl == -1 or pttl > tonumber(ARGV[2]) then',
        'if pttl == -1 or pttl >= tonumber(ARGV[2]) then',
      ],
      [
        'lease.scripts.ts',
        'if tonumber(reply) < least and is_owner then reply = begin(i, reply) end',
        'if tonumber(reply) <= least and is_owner then reply = begin(i, reply) end',
      ],
      ['lease.records.ts', 'return this.parts.now() >= this.#prolongAt;', 'return this.parts.now() > this.#prolongAt;'],
      [
        'lease.renewal.ts',
        'if (lease.left() < 2 * this.parts.times.renewEvery) this.#renewIn(0);',
        'if (lease.left() <= 2 * this.parts.times.renewEvery) this.#renewIn(0);',
      ],
    ],
  },
  {
    why: 'Equal values: what is written then is what is there.',
    lines: [
      [
        'epoch.scripts.ts',
        "if stored == ARGV[1] and by == ARGV[3] and tonumber(number) > tonumber(ARGV[4]) then return '' end",
        "if stored == ARGV[1] and by == ARGV[3] and tonumber(number) >= tonumber(ARGV[4]) then return '' end",
      ],
      [
        'lease.scripts.ts',
        "if (fresh or tonumber(ARGV[7]) < 0) and redis.call('PTTL', lease) < tonumber(ttl) then",
        "if (fresh or tonumber(ARGV[7]) < 0) and redis.call('PTTL', lease) <= tonumber(ttl) then",
      ],
      [
        'lease.scripts.ts',
        'reply = minted and tonumber(minted) > tonumber(held) and minted or held',
        'reply = minted and tonumber(minted) >= tonumber(held) and minted or held',
      ],
      [
        'lease.scripts.ts',
        "if epoch_in(stored) < tonumber(epoch) then redis.call('SET', stored, epoch) end",
        "if epoch_in(stored) <= tonumber(epoch) then redis.call('SET', stored, epoch) end",
      ],
      [
        'epoch.scripts.ts',
        'return epoch >= 0 and epoch < ${Number.MAX_SAFE_INTEGER} and epoch or 0',
        'return epoch > 0 and epoch < ${Number.MAX_SAFE_INTEGER} and epoch or 0',
      ],
      [
        'table.scripts.ts',
        "if known > tonumber(redis.call('HGET', KEYS[3], 'floor') or '0') then redis.call('HSET', KEYS[3], 'floor', ARGV[3]) end",
        "if known >= tonumber(redis.call('HGET', KEYS[3], 'floor') or '0') then redis.call('HSET', KEYS[3], 'floor', ARGV[3]) end",
      ],
    ],
  },
  {
    why: 'Only how often the same is worked out.',
    lines: [
      [
        'lease.scripts.ts',
        'if not left then left, now = grace(KEYS[1], ARGV[1]) end',
        'if true then left, now = grace(KEYS[1], ARGV[1]) end',
      ],
      [
        'placement.exclusion.ts',
        'if (!known.has(like)) known.set(like, obstacleOf(subject, members));',
        'if (true) known.set(like, obstacleOf(subject, members));',
      ],
      [
        'placement.exclusion.ts',
        'if (known === undefined) classSets.set(classes, (known = new Set(classes)));',
        'if (true) classSets.set(classes, (known = new Set(classes)));',
      ],
      [
        'placement.ts',
        'if (member === self || exclusionOf(subject, member, known) !== undefined) continue;',
        'if ((exclusionOf(subject, member, known) !== undefined)) continue;',
      ],
      [
        'placement.moves.ts',
        'if (member === from || exclusionOf(subject, member, known) !== undefined) continue;',
        'if ((exclusionOf(subject, member, known) !== undefined)) continue;',
      ],
      ['lease.renewal.ts', 'if (this.#held.size === 0) this.#deadlines.watch();', 'if (true) this.#deadlines.watch();'],
      [
        'lease.deadlines.ts',
        'if (this.now() + lease.left() < this.#firesAt) this.watch();',
        'if (this.now() + lease.left() <= this.#firesAt) this.watch();',
      ],
    ],
  },
  {
    why: 'A third of a loop more or less, or a round without a key, which no lease answers to.',
    lines: [
      ['lease.scripts.ts', 'for i = 0, (#KEYS - 1) / 3 - 1 do', 'for i = 0, (#KEYS) / 3 - 1 do'],
      ['lease.scripts.ts', 'for i = 0, #KEYS / 3 - 1 do', 'for i = 0, #KEYS / 3 do'],
    ],
  },
  {
    why: 'An empty list has no last element, which is what the other side stands for.',
    lines: [
      [
        'table.scripts.ts',
        "local at = #looked > 0 and looked[#looked] or '0'",
        "local at = #looked >= 0 and looked[#looked] or '0'",
      ],
    ],
  },
  {
    why: 'What follows refuses it as well: no signature is that of another text.',
    lines: [
      [
        'signer.ts',
        "if (typeof mac !== 'string' || mac.length !== expected.length) return false;",
        "if (typeof mac !== 'string') return false;",
      ],
      [
        'relay.ts',
        "if (end < 0 || !isSame(text.slice(0, end), signature(key, to, body))) throw new Rejected('wrong-cookie');",
        "if ((!isSame(text.slice(0, end), signature(key, to, body)))) throw new Rejected('wrong-cookie');",
      ],
      [
        'relay.ts',
        "if (end < 0 || !isSame(text.slice(0, end), signature(key, to, body))) throw new Rejected('wrong-cookie');",
        "if (end <= 0 || !isSame(text.slice(0, end), signature(key, to, body))) throw new Rejected('wrong-cookie');",
      ],
      ['load.hints.ts', 'if (at === undefined || mac === undefined) return false;', 'if (false) return false;'],
      [
        'load.hints.ts',
        'if (at === undefined || mac === undefined) return false;',
        'if (at === undefined) return false;',
      ],
      [
        'load.hints.ts',
        'if (at === undefined || mac === undefined) return false;',
        'if ((mac === undefined)) return false;',
      ],
      [
        'load.hints.ts',
        'if (at <= (this.#heard.get(node) ?? 0)) return false;',
        'if (at <= (this.#heard.get(node))) return false;',
      ],
    ],
  },
  {
    why: 'Clocks that are read here give whole milliseconds.',
    lines: [
      [
        'replay.guard.ts',
        'this.#last = Math.max(this.#last + 1, Math.floor(now * 1000));',
        'this.#last = Math.max(this.#last + 1, Math.ceil(now * 1000));',
      ],
      [
        'load.hints.ts',
        'this.#last = Math.max(this.#last + 1, Math.floor(this.now() * 1000));',
        'this.#last = Math.max(this.#last + 1, Math.ceil(this.now() * 1000));',
      ],
    ],
  },
  {
    why: '`undefined` compares as false, and is never equal to a number or a name.',
    lines: [
      [
        'replay.guard.ts',
        "if (last !== undefined && stamp <= last) return { refusal: 'replayed' };",
        "if ((stamp <= last)) return { refusal: 'replayed' };",
      ],
      [
        'placement.moves.ts',
        'if (prefer === undefined || prefer === self || prefer === subject.avoid || prefer === before) return false;',
        'if ((prefer === self) || prefer === subject.avoid || prefer === before) return false;',
      ],
      ['sequencer.ts', 'const seq = lines.get(channel)?.seq ?? 0;', 'const seq = lines.get(channel)?.seq;'],
      ['redis.table.ts', 'const last = rows.at(-1)?.version ?? Infinity;', 'const last = rows.at(-1)?.version;'],
      [
        'lost.processes.ts',
        'return asked.filter(({ name }) => now - (this.#since.get(name) ?? now) >= keep);',
        'return asked.filter(({ name }) => now - (this.#since.get(name)) >= keep);',
      ],
    ],
  },
  {
    why: 'A guard of the types: the script says all five of an owner, or nothing.',
    lines: [
      [
        'lease.owners.ts',
        'if (node === undefined || bootId === undefined) return undefined;',
        'if (node === undefined) return undefined;',
      ],
      [
        'lease.owners.ts',
        'if (node === undefined || bootId === undefined) return undefined;',
        'if ((bootId === undefined)) return undefined;',
      ],
    ],
  },
  {
    why: 'A guard of the types: both lists have one length, and a lease that was acquired has its lock.',
    lines: [
      ['placement.ts', 'const difference = a[index]! - (b[index] ?? 0);', 'const difference = a[index]! - (b[index]);'],
      [
        'redlock.leases.ts',
        'if (lock !== undefined) await this.#locks.free(lease.name, lock, this.parts.node.name);',
        'if (true) await this.#locks.free(lease.name, lock, this.parts.node.name);',
      ],
      [
        'name.locks.ts',
        "const attempts = isError(error) && 'attempts' in error ? (error as ExecutionError).attempts : undefined;",
        'const attempts = isError(error) ? (error as ExecutionError).attempts : undefined;',
      ],
      [
        'placement.moves.ts',
        'const known: Known = { owner, ...(loadOf === undefined ? {} : { loadOf }) };',
        'const known: Known = { owner, ...(false ? {} : { loadOf }) };',
      ],
      [
        'acknowledgements.ts',
        'if (waiting === undefined || node === undefined) return;',
        'if ((node === undefined)) return;',
      ],
    ],
  },
  {
    why: 'The line before has returned for equal ones; two members have one hash only by a chance of 2^-32, which both orders survive.',
    lines: [
      ['placement.ts', 'if (difference !== 0) return difference < 0;', 'if (difference !== 0) return difference <= 0;'],
      ['placement.ts', 'return a.weight > b.weight;', 'return a.weight >= b.weight;'],
    ],
  },
  {
    why: 'No property that every object has is a text.',
    lines: [
      [
        'placement.exclusion.ts',
        'return Object.hasOwn(labels, key) && labels[key] === value;',
        'return (labels[key] === value);',
      ],
    ],
  },
  {
    why: 'Outlooks are only compared with each other, and the change turns round both.',
    lines: [
      [
        'placement.moves.ts',
        'if (member.name === self) return `${bootId} ${state} ${fullnessOf(member, { loadOf: () => load }) !== undefined}`;',
        'if (member.name === self) return `${bootId} ${state} ${fullnessOf(member, { loadOf: () => load }) === undefined}`;',
      ],
      [
        'placement.moves.ts',
        'return `${bootId} ${state} ${lag > LAGGING_MS} ${fullnessOf(member, {}) !== undefined} ${isBetter}`;',
        'return `${bootId} ${state} ${lag > LAGGING_MS} ${fullnessOf(member, {}) === undefined} ${isBetter}`;',
      ],
    ],
  },
  {
    why: 'Of two guards that hold the same each makes up for the other: nodes of which nothing is expected any more.',
    lines: [
      [
        'expected.owners.ts',
        'if (expected?.size === 0) this.#nodes.delete(node);',
        'if (false) this.#nodes.delete(node);',
      ],
      ['expected.owners.ts', 'if (expected?.size === 0) this.#nodes.delete(node);', 'if (expected?.size === 0) ;'],
      [
        'expected.owners.ts',
        'return expected === undefined || oldest === undefined ? load : Math.max(load, oldest.said + expected.size);',
        'return expected === undefined ? load : Math.max(load, oldest.said + expected.size);',
      ],
      [
        'expected.owners.ts',
        'return expected === undefined || oldest === undefined ? load : Math.max(load, oldest.said + expected.size);',
        'return (oldest === undefined) ? load : Math.max(load, oldest.said + expected.size);',
      ],
    ],
  },
  {
    why: 'A name that is not known is expected of no node.',
    lines: [['expected.owners.ts', 'if (node === undefined) return;', 'if (false) return;']],
  },
  {
    why: 'Memory only, and soon used again or swept: nothing reads it.',
    lines: [
      ['expected.owners.ts', 'this.#names.delete(name);', ';'],
      ['local.leases.ts', 'this.#sweep();', ';'],
      ['local.leases.ts', 'if (until > now) break;', 'if (true) break;'],
      ['local.leases.ts', 'if (until > now) break;', 'if (until >= now) break;'],
    ],
  },
  {
    why: 'Set again by the confirmation that follows each acquisition on several servers, and read with several only.',
    lines: [['held.lease.ts', 'spread = false;', 'spread = true;']],
  },
  {
    why: 'Wake-ups that come together: the earliest is never later than the latest.',
    lines: [
      [
        'lease.renewal.ts',
        'this.#renewTimer = wakeUps.within(delay * (1 - JITTER), jittered(delay, 1 - JITTER, 1 + JITTER), () => {',
        'this.#renewTimer = wakeUps.within(delay * (1 + JITTER), jittered(delay, 1 - JITTER, 1 + JITTER), () => {',
      ],
    ],
  },
  {
    why: 'Each of the ways that follow asks again whether the lease has ended.',
    lines: [['lease.renewal.ts', 'if (lease.ended) return false;', 'if (false) return false;']],
  },
  {
    why: 'JSON has no place for what is undefined.',
    lines: [
      [
        'name.locks.ts',
        "const hint = JSON.stringify({ t: 'released', name, ...(node === undefined ? {} : { node }) });",
        "const hint = JSON.stringify({ t: 'released', name, ...(false ? {} : { node }) });",
      ],
    ],
  },
  {
    why: 'Memory only, and soon swept: nothing reads it.',
    lines: [
      ['local.leases.ts', 'if (now < this.#sweepAt) return;', 'if (now <= this.#sweepAt) return;'],
      ['local.leases.ts', 'if (now < this.#sweepAt) return;', 'if (true) return;'],
      ['local.leases.ts', 'this.#sweepAt = now + SWEEP_EVERY_MS;', 'this.#sweepAt = now - SWEEP_EVERY_MS;'],
      ['local.leases.ts', 'if (now < this.#sweepAt) return;', 'if (false) return;'],
      ['local.leases.ts', 'this.#sweepAt = now + SWEEP_EVERY_MS;', ';'],
      [
        'local.leases.ts',
        'for (const [key, { until }] of this.#fenced) if (until <= now) this.#fenced.delete(key);',
        'for (const [key, { until }] of this.#fenced) if (until < now) this.#fenced.delete(key);',
      ],
      ['local.leases.ts', 'this.#states.delete(name);', ';'],
      ['local.leases.ts', 'this.#states.delete(each);', ';'],
      [
        'local.leases.ts',
        'for (const [key, { until }] of this.#fenced) if (until <= now) this.#fenced.delete(key);',
        'for (const [key, { until }] of this.#fenced) if (until <= now) ;',
      ],
      [
        'local.leases.ts',
        'for (const [key, { until }] of this.#fenced) if (until <= now) this.#fenced.delete(key);',
        'for (const [key, { until }] of this.#fenced) if (false) this.#fenced.delete(key);',
      ],
    ],
  },
  {
    why: 'Wake-ups that come together: the earliest is never later than the latest.',
    lines: [
      [
        'lease.renewal.ts',
        'this.#renewTimer = wakeUps.within(delay * (1 - JITTER), jittered(delay, 1 - JITTER, 1 + JITTER), () => {',
        'this.#renewTimer = wakeUps.within(delay / (1 - JITTER), jittered(delay, 1 - JITTER, 1 + JITTER), () => {',
      ],
    ],
  },
  {
    why: 'What is no number finds nothing in a map of numbers.',
    lines: [
      [
        'acknowledgements.ts',
        "if (typeof id !== 'number' || (failure !== undefined && typeof failure !== 'string')) return;",
        "if (((failure !== undefined && typeof failure !== 'string'))) return;",
      ],
    ],
  },
  {
    why: 'Called for messages that are waited for only: who ends one takes its timer back.',
    lines: [['acknowledgements.ts', 'if (waiting === undefined) return;', 'if (false) return;']],
  },
  {
    why: 'What is unknown compares as false, as `NaN` does, so that `before` follows.',
    lines: [
      [
        'known.senders.ts',
        "if (ownAt === undefined || listensSince === undefined) return 'before';",
        "if (false) return 'before';",
      ],
      [
        'known.senders.ts',
        "if (ownAt === undefined || listensSince === undefined) return 'before';",
        "if (ownAt === undefined) return 'before';",
      ],
      [
        'known.senders.ts',
        "if (ownAt === undefined || listensSince === undefined) return 'before';",
        "if ((listensSince === undefined)) return 'before';",
      ],
      [
        'known.senders.ts',
        "if (joinedAt !== undefined && joinedAt > since) return 'here';",
        "if ((joinedAt > since)) return 'here';",
      ],
    ],
  },
  {
    why: 'The next line takes members out again.',
    lines: [
      [
        'known.senders.ts',
        'for (const [bootId, joinedAt] of this.#joinedAt) if (!now.has(bootId)) this.#former.set(bootId, joinedAt);',
        'for (const [bootId, joinedAt] of this.#joinedAt) if (true) this.#former.set(bootId, joinedAt);',
      ],
    ],
  },
  {
    why: 'The line before has returned for the expected one.',
    lines: [
      [
        'gap.detector.ts',
        'if (first < expected) return { duplicates: Math.min(count, expected - first), gap: undefined };',
        'if (first <= expected) return { duplicates: Math.min(count, expected - first), gap: undefined };',
      ],
    ],
  },
  {
    why: 'A millisecond or less of a minute, a day, or the clock, which no test can meet.',
    lines: [
      [
        'tick.scripts.ts',
        'return at ~= nil and at >= 0 and at <= now + ${BELIEVED_AHEAD_MS} and at',
        'return at ~= nil and at >= 0 and at < now + ${BELIEVED_AHEAD_MS} and at',
      ],
      [
        'tick.scripts.ts',
        "if tonumber(ARGV[6]) > now + ${MOST_AHEAD_MS} then return 'early' end",
        "if tonumber(ARGV[6]) >= now + ${MOST_AHEAD_MS} then return 'early' end",
      ],
      [
        'tick.scripts.ts',
        'local isBefore = before and before <= epoch and (epoch <= now * 1000 or before == 0 or before == epoch)',
        'local isBefore = before and before <= epoch and (epoch < now * 1000 or before == 0 or before == epoch)',
      ],
    ],
  },
  {
    why: 'Where it is 0 the other branch gives 0 as well.',
    lines: [
      [
        'tick.scripts.ts',
        'return number >= 0 and number <= ${Number.MAX_SAFE_INTEGER} and number or 0',
        'return number > 0 and number <= ${Number.MAX_SAFE_INTEGER} and number or 0',
      ],
    ],
  },
  {
    why: 'JSON has no place for what is undefined.',
    lines: [
      [
        'instance.end.ts',
        ': { error, ...(stack === undefined ? {} : { stack }), crashes: (current.crashes ?? 0) + 1 }),',
        ': { error, ...(false ? {} : { stack }), crashes: (current.crashes ?? 0) + 1 }),',
      ],
    ],
  },
  {
    why: 'A lease is lost once; a size above none has an oldest.',
    lines: [
      [
        'restart.decisions.ts',
        "else lease.signal.addEventListener('abort', onLost, { once: true });",
        "else lease.signal.addEventListener('abort', onLost, { once: false });",
      ],
      [
        'restart.decisions.ts',
        'if (this.#kept.size > MAX_KEPT && oldest !== undefined) {',
        'if (this.#kept.size > MAX_KEPT) {',
      ],
    ],
  },
  {
    why: 'Waits 400 ms from the second try on, where 100 and 200 come before: no test asserts such a time.',
    lines: [
      [
        'restart.decisions.ts',
        'for (let wait = RETRY_MS; ; wait = Math.min(2 * wait, RETRY_CAP_MS)) {',
        'for (let wait = RETRY_MS; ; wait = Math.max(2 * wait, RETRY_CAP_MS)) {',
      ],
    ],
  },
  {
    why: 'The timer that is set a few lines later ends what is overdue a millisecond later.',
    lines: [['lease.renewal.ts', 'this.#deadlines.fenceOverdue();', ';']],
  },
  {
    why: 'A list is put in order with what is undefined at its end.',
    lines: [
      [
        'redlock.leases.ts',
        'const inOrder = waits.flatMap((each) => each[index] ?? []).sort((a, b) => a - b);',
        'const inOrder = waits.flatMap((each) => each[index]).sort((a, b) => a - b);',
      ],
    ],
  },
  {
    why: 'A guard of the types: what is to be restarted has a time.',
    lines: [
      [
        'instance.end.ts',
        'const delayMs = Math.min(decision.delayMs, Math.max(0, (next.retryAt ?? 0) - this.parts.membership.clusterNow()));',
        'const delayMs = Math.min(decision.delayMs, Math.max(0, (next.retryAt) - this.parts.membership.clusterNow()));',
      ],
    ],
  },
  {
    why: 'Of one epoch nobody else writes a time of a restart.',
    lines: [
      [
        'instance.end.ts',
        'recorded = current.after === epoch && current.status === next.status && current.retryAt === next.retryAt;',
        'recorded = current.after === epoch && current.status === next.status;',
      ],
    ],
  },
  {
    why: 'A round for none.',
    lines: [
      [
        'restart.decisions.ts',
        'for (let index = 0; index < facts.length; index += PARALLEL) {',
        'for (let index = 0; index <= facts.length; index += PARALLEL) {',
      ],
    ],
  },
  {
    why: 'What is lost, or was missed, is read from scratch in the end, wherever this replica stands by then.',
    lines: [
      [
        'table.replica.ts',
        'const isBehind = follows !== this.#version || this.#version === 0 || life !== this.#loss.life;',
        'const isBehind = follows !== this.#version || this.#version === 0;',
      ],
      [
        'table.replica.ts',
        'if (isBehind || this.isMending || this.#mustReadAnew || this.#schedule.isReading) return;',
        'if (isBehind || this.#mustReadAnew || this.#schedule.isReading) return;',
      ],
      [
        'table.replica.ts',
        'if (isBehind || this.isMending || this.#mustReadAnew || this.#schedule.isReading) return;',
        'if (isBehind || this.isMending || this.#schedule.isReading) return;',
      ],
    ],
  },
  {
    why: 'What has the newest version of all was seen.',
    lines: [
      [
        'table.replica.ts',
        'this.#rows.dropUnseen(read.seen, ({ version }) => version <= read.anchor);',
        'this.#rows.dropUnseen(read.seen, ({ version }) => version < read.anchor);',
      ],
    ],
  },
  {
    why: 'Only how often, or a little sooner or later, what was written again is left out of memory.',
    lines: [
      [
        'local.table.ts',
        'if (this.#log.length < 2 * (this.#rows.size + this.#marks.size) + 100) return;',
        'if (this.#log.length <= 2 * (this.#rows.size + this.#marks.size) + 100) return;',
      ],
      [
        'local.table.ts',
        'if (this.#log.length < 2 * (this.#rows.size + this.#marks.size) + 100) return;',
        'if (this.#log.length < 2 * (this.#rows.size - this.#marks.size) + 100) return;',
      ],
      [
        'local.table.ts',
        'if (this.#log.length < 2 * (this.#rows.size + this.#marks.size) + 100) return;',
        'if (this.#log.length < 2 * (this.#rows.size + this.#marks.size) - 100) return;',
      ],
    ],
  },
  {
    why: 'Who has been told that nothing is pending hears nothing when told again.',
    lines: [['restart.decisions.ts', 'this.#idle.clear();', ';']],
  },
  {
    why: 'No number is below `undefined`, as none that is a time is below 0.',
    lines: [
      [
        'table.replica.ts',
        '} else if (loss.stale && this.#now() - loss.since < (patienceMs?.() ?? 0)) {',
        '} else if (loss.stale && this.#now() - loss.since < (patienceMs?.())) {',
      ],
    ],
  },
  {
    why: 'As long as it waits nothing asks when it was in touch last, and mending says it anew.',
    lines: [['table.replica.ts', 'return false;', 'return true;']],
  },
  {
    why: 'The answer to what is restored names the life as well, and where nothing is restored nothing can be lost.',
    lines: [
      ['table.replica.ts', 'if (this.isMending) this.#loss.noteLife(page.life);', 'if (this.isMending) ;'],
      ['table.replica.ts', 'read = { ...read, last: { ...read.last, life } };', ';'],
    ],
  },
  {
    why: 'The loss that came meanwhile stays to be mended; what is written back waits for that.',
    lines: [
      [
        'table.replica.ts',
        'if (this.#loss.current !== loss) return false;',
        'if (this.#loss.current !== loss) return true;',
      ],
    ],
  },
].flatMap(({ why, lines }) => lines.map(([file, was, is]) => ({ why, file, was, is })));

const used = new Set();
const isOf = (each, { path, was, is }) => path.endsWith(`/${each.file}`) && each.was === was && each.is === is;

/** Why a mutant survives; `undefined` for one that should not. */
export function explanationOf(mutant) {
  const found = EXPLAINED.find((each) => isOf(each, mutant));
  if (found !== undefined) used.add(found);
  return found?.why;
}

/** Explanations of mutants that were killed. */
export function unused(results) {
  return EXPLAINED.filter((each) => !used.has(each) && results.some((result) => isOf(each, result)));
}
