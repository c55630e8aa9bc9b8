// Bugs put back by hand, as changes of the built code, to see that runs find them: `npm run interleavings -- --bugs`.
// Each was a bug of this library or of others that do the same, or is the absence of a rule that a comment names. Those
// that are `rare` were not found in a minute, and are looked for by name only: `--bugs --bug 'late renewal'`.
export const BUGS = [
  {
    level: 'leases',
    name: 'no grace after a loss of data',
    find: 'return math.max(0, since + ms - now), now, ms, kept_for, least',
    put: 'return 0, now, ms, kept_for, least',
  },
  {
    level: 'leases',
    name: 'fenced writes do not compare epochs',
    find: 'if stored and tonumber(stored) > tonumber(ARGV[1]) then return stored end',
    put: '',
  },
  {
    level: 'leases',
    name: 'a fenced write that went astray is written over a later one',
    find: "if stored == ARGV[1] and by == ARGV[3] and tonumber(number) > tonumber(ARGV[4]) then return '' end",
    put: '',
  },
  {
    level: 'leases',
    name: 'a fenced write of an earlier life of the data is accepted',
    find: 'if tonumber(ARGV[1]) < least then return',
    put: 'if false then return',
  },
  {
    level: 'leases',
    name: 'epochs begin anew when Redis has lost them',
    find: 'math.max(stored + 1, floor + 1, above + 1, t[1] * 1000000 + t[2])',
    put: 'stored + 1',
  },
  {
    level: 'leases',
    name: 'an owner counts on its lease until Redis says otherwise',
    find: 'return !this.#ended && this.left(now) > 0;',
    put: 'return !this.#ended;',
  },
  {
    level: 'leases',
    name: 'a renewal counts from its answer',
    find: 'lease.ackedAt = sentAt;',
    put: 'lease.ackedAt = this.parts.now() + 400;',
  },
  {
    level: 'cluster',
    name: 'a lease is released before its instance has stopped',
    find: 'const exit = await this.#ended;',
    put: 'const exit = await this.#ended; await this.lease.release();',
  },
  {
    level: 'cluster',
    name: 'a call reaches an ownership that it was not resolved for',
    rare: true,
    find: '|| instance.lease.epoch !== epoch)',
    put: ')',
  },
  {
    level: 'cluster',
    name: 'a stale owner answers calls',
    find: 'return this.running && this.lease.isHeld() ? this.#target : void 0;',
    put: 'return this.#target;',
    more: [{ find: 'if (!this.lease.isHeld() || !this.running && this.#tasks.size === 0)', put: 'if (false)' }],
  },
  {
    level: 'leases',
    name: 'a late renewal shortens a newer one',
    rare: true,
    find: "if (fresh or tonumber(ARGV[7]) < 0) and redis.call('PTTL', lease) < tonumber(ttl) then",
    put: 'if true then',
  },
  {
    level: 'leases',
    name: 'a script that comes late gives a lease life',
    rare: true,
    find: 'return tonumber(sent) >= 0 and now - tonumber(sent) <= tonumber(wait), ',
    put: 'return true, ',
  },
  {
    level: 'leases',
    name: 'a state is handed over to every instance that comes',
    find: "redis.call('SET', KEYS[2], mark .. state, 'PX', ARGV[2])\nreturn state",
    put: 'return state',
  },
  {
    level: 'cluster',
    name: 'a gap is not reported',
    rare: true,
    find: 'if (gap !== void 0)\n      this.parts.sink.gap(',
    put: 'if (false)\n      this.parts.sink.gap(',
  },
  {
    level: 'cluster',
    name: 'a loss that no later message shows is not looked for',
    rare: true,
    find: '#queryIn(delay6) {',
    put: '#queryIn(delay6) { return;',
  },
];
