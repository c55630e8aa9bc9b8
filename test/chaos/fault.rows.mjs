// The fault matrix as data: what is done, what must hold, and what carries it out. `run` is a function of
// test/chaos/faults, `specs` are tests that exist anyway. Whatever a row says besides, the histories of all nodes are
// held to the invariants of docs/reference/invariants.md.

const check = (run) => ({ run });
/** One that a soak draws, because it needs nothing but the cluster that it finds. */
const soaked = (run) => ({ run, soak: true });
/** The same, left out by `--quick`. */
const slower = (run) => ({ run, soak: true, slow: true });
const slow = (run) => ({ run, slow: true });
const spec = (file, tests) => ({ file: `test/${file}.spec.ts`, tests });

export const FAULT_ROWS = [
  {
    row: 1,
    fault: 'SIGKILL of an owner',
    holds:
      'A new owner after the lease, with a higher epoch; the services of the node are gone; each observer is told once: `timeout`',
    checks: [soaked('deaths#kill')],
    specs: [spec('e2e/kill', 'is replaced 20 times in a row'), spec('e2e/kill', 'is reported as gone by timeout')],
    quick: true,
  },
  {
    row: 2,
    fault: 'SIGTERM of an owner, and SIGKILL while it leaves',
    holds: 'No overlap, a short gap, each observer is told once: `shutdown`; no key of the node is left',
    checks: [soaked('deaths#terminate'), slower('deaths#killLeaving')],
    specs: [spec('e2e/terminate', 'leaves no lease, owner or node behind')],
    quick: true,
  },
  {
    row: 3,
    fault: 'SIGKILL of the three oldest of six nodes at once, and of all nodes',
    holds: 'Everything has one owner among the survivors, or among those that start',
    checks: [soaked('deaths#killOldest'), slower('deaths#killAll')],
    specs: [],
  },
  {
    row: 4,
    fault: 'SIGSTOP of an owner for 0.5 s, 5 s and 60 s, then SIGCONT; of all nodes; of all nodes and Redis',
    holds:
      '0.5 s: nothing happens. Longer: a new owner; the old one does nothing when it wakes up, and its stale write is refused',
    checks: [
      soaked('freezes#freezeShort'),
      soaked('freezes#freezeLong'),
      check('freezes#freezeMinute'),
      slower('freezes#freezeAll'),
      slower('freezes#sleep'),
      slower('freezes#freezeThroughLoss'),
    ],
    specs: [],
  },
  {
    row: 5,
    fault: 'The event loop of an owner is blocked for 10 s',
    holds: 'A new owner, and the old one does nothing more; with `onStall: exit` its process ends at the deadline',
    checks: [soaked('freezes#block')],
    specs: [spec('e2e/stall', 'is ended by the watchdog')],
  },
  {
    row: 6,
    fault: 'A worker of BullMQ takes the job of a restart and does nothing more; the queue is paused, or emptied',
    holds: 'The restart is done by another node, once; the job does nothing when it comes again',
    checks: [check('supervision#heldJob'), slower('supervision#queuePaused'), slower('supervision#queueEmptied')],
    specs: [],
  },
  {
    row: 7,
    fault: 'SIGKILL of Redis, which comes back empty after 0.1 s and after 3 s, and again and again',
    holds: 'Epochs rise, nobody owns beside another one; tables, services and the sweep are there again',
    checks: [soaked('redis#emptyAtOnce'), soaked('redis#emptyLate'), slower('redis#restartsFlap')],
    specs: [],
    quick: true,
  },
  {
    row: 8,
    fault: 'SIGKILL of a Redis with an append-only file, which comes back',
    holds: 'As 7; a restart that was planned is done once',
    checks: [check('redis#withLog')],
    specs: [],
  },
  {
    row: 9,
    fault: 'FLUSHALL, FLUSHDB, SCRIPT FLUSH',
    holds: 'As 7, without a new connection; scripts are sent again',
    checks: [
      soaked('redis#flushAll'),
      soaked('redis#flushDb'),
      soaked('redis#scriptFlush'),
      slower('redis#flushStorm'),
    ],
    specs: [spec('e2e/redis', 'is flushed while a process waits for its restart')],
    quick: true,
  },
  {
    row: 10,
    fault: 'Redis stands still for 0.5 s and 5 s: SIGSTOP, CLIENT PAUSE, DEBUG SLEEP, for writes only, in a script',
    holds: '0.5 s: nothing happens. 5 s: every owner fences itself in time, and all is owned again soon after',
    checks: [
      soaked('redis#pauseShort'),
      soaked('redis#stopLong'),
      soaked('redis#clientPause'),
      soaked('redis#debugSleep'),
      slower('operators#pauseWrites'),
      slower('operators#busy'),
    ],
    specs: [spec('e2e/redis', 'is frozen for')],
  },
  {
    row: 11,
    fault: 'A node is cut off from Redis by resets; again and again, in all ways',
    holds:
      'It fences itself before the next owner begins, and is a member again after the heal; a blip changes nothing',
    checks: [soaked('network#reset'), soaked('network#blip'), slower('network#flapping')],
    specs: [],
    quick: true,
  },
  {
    row: 12,
    fault: 'A node is cut off by a black hole: nothing passes, nothing is closed',
    holds: 'As 11; each connection notices by itself',
    checks: [soaked('network#halfOpen')],
    specs: [spec('integration/connections', 'while the node runs: takes no other part of it out')],
  },
  {
    row: 13,
    fault: 'Replies of Redis are lost on the way to a node',
    holds: 'As 11',
    checks: [soaked('network#repliesLost')],
    specs: [spec('e2e/cut', 'by noreply for')],
  },
  {
    row: 14,
    fault: 'Requests of a node are lost on the way to Redis, or come late',
    holds: 'As 11',
    checks: [soaked('network#requestsLost'), slower('network#requestsLate')],
    specs: [],
  },
  {
    row: 15,
    fault:
      'Two of five nodes, or all, lose Redis for seconds, by proxies and by pulled cables; two and three nodes lose each other, and all reach Redis',
    holds:
      'The two are isolated and go on with what they know, the three take over, one cluster after the heal; without links nothing moves, and messages go through Redis',
    checks: [
      soaked('network#partition'),
      slower('network#allCut'),
      check('network#parted'),
      slow('network#linksFlap'),
      check('lab#pulled'),
      check('lab#parted'),
    ],
    specs: [spec('e2e/partition', 'cluster heals after a partition')],
    quick: true,
  },
  {
    row: 16,
    fault: 'Redis is 100 ms and 300 ms away, packets are lost, come twice and out of order',
    holds:
      '100 ms: nothing happens. 300 ms: the node fences itself and does not flap. Lost packets: one owner, and whole afterwards',
    checks: [soaked('network#slow'), soaked('network#tooSlow'), check('lab#bursts'), check('lab#netem')],
    specs: [],
  },
  {
    row: 17,
    fault: 'The clock of a node is set by 5 s and by an hour, in both directions; those of all jump by up to 30 years',
    holds: 'Nothing moves; a restart under a wrong clock comes in its time',
    checks: [soaked('freezes#setClock'), slower('freezes#clocksJump')],
    specs: [],
  },
  {
    row: 18,
    fault: 'The clock of Redis is set forward and back',
    holds: 'Leases may end early; epochs rise and stale writes are refused',
    checks: [soaked('operators#endLease')],
    specs: [spec('integration/clocks', '')],
  },
  {
    row: 19,
    fault: 'An operator deletes or overwrites the key of a lease, or deletes the record of its owner',
    holds: 'The owner learns it with its next renewal, and fences itself at once; the record is back within a minute',
    checks: [soaked('operators#deleteLease'), soaked('operators#stealLease'), slow('operators#deleteOwner')],
    specs: [],
  },
  {
    row: 20,
    fault: 'A second node of the same name; two that start at once',
    holds:
      'It is refused with `DuplicateNodeError`, the first one does not notice; once that one is dead, the next try succeeds',
    checks: [soaked('deaths#sameName'), slower('deaths#sameNameAtOnce')],
    specs: [spec('e2e/boot', 'under the name of a node that is frozen')],
  },
  {
    row: 21,
    fault: 'A release node by node, with other settings; a node without the classes; another protocol',
    holds:
      'A process moves by its own node’s end or a plan; a node never runs what it does not have; another protocol is refused',
    checks: [check('supervision#rolling')],
    specs: [spec('integration/contract', 'is refused with what both say')],
  },
  {
    row: 22,
    fault: 'A process crashes in its start and while it runs; its start ends the node',
    holds: 'Backoff, then one escalation; a start that ends its node does not go through all nodes',
    checks: [check('supervision#startExits')],
    specs: [spec('e2e/restarts', 'that crashes in its')],
  },
  {
    row: 23,
    fault: 'A start that never ends',
    holds: 'It counts as a crash after `timeout`, and is escalated like others',
    checks: [check('supervision#startHangs')],
    specs: [],
  },
  {
    row: 24,
    fault: 'Jobs of the supervision that nobody can read',
    holds: 'They fail, and the worker goes on',
    checks: [soaked('supervision#poison')],
    specs: [],
  },
  {
    row: 25,
    fault: 'Nonsense on every topic',
    holds: 'It is dropped and counted; nobody else notices',
    checks: [soaked('supervision#nonsense')],
    specs: [spec('integration/cluster', 'drop and count what somebody else publishes')],
  },
  {
    row: 26,
    fault: 'A message that is too large, and a compressed one that becomes too large',
    holds: 'The sender is refused; the receiver drops and counts it',
    checks: [],
    specs: [
      spec('integration/cluster', 'refuse a message that is too large'),
      spec('integration/channels', 'a bomb on a topic'),
    ],
  },
  {
    row: 27,
    fault: 'A handler that is stuck, or too slow',
    holds: 'It holds up no other one; its queue is bounded, and what it drops is counted',
    checks: [],
    specs: [
      spec('integration/cluster', 'do not wait for a handler that is stuck'),
      spec('integration/channels', 'a full queue drops'),
    ],
  },
  {
    row: 28,
    fault:
      'Settings that cannot be right, a Redis that refuses, is too old or has no such database; one that refuses for a while',
    holds:
      'The start fails with what to change, and leaves nothing open; a node that runs fences itself, and goes on afterwards',
    checks: [slower('operators#userOff'), slower('operators#rightsTaken')],
    specs: [
      spec('integration/boot', 'a wrong password ends'),
      spec('integration/boot', 'an old version'),
      spec('integration/boot', 'a database that'),
    ],
  },
  {
    row: 29,
    fault:
      'Redis is full, read-only, without replicas, loading, promoted with other data; a Redis Cluster loses a primary',
    holds: 'Owners fence themselves, and all goes on without a restart of a node once Redis does',
    checks: [
      soaked('redis#full'),
      soaked('redis#readOnly'),
      slower('operators#noReplicas'),
      slower('operators#otherPrimary'),
      check('redis#loading'),
    ],
    specs: [spec('integration/failover', '')],
    quick: true,
  },
  {
    row: 30,
    fault: 'Redis has no room for clients; connections are killed 20 times; 1000 reconnects',
    holds: 'As 29; subscriptions come back, losses are told, no connection is left over',
    checks: [soaked('operators#noClients'), soaked('operators#killClients')],
    specs: [spec('e2e/leaks', '')],
  },
  {
    row: 31,
    fault: 'Twenty nodes start at once, before there is a Redis',
    holds: 'They start, wait, and are one cluster when Redis comes; each singleton runs once',
    checks: [check('supervision#herd')],
    specs: [spec('e2e/herd', 'starts every singleton exactly once')],
  },
  {
    row: 32,
    fault: 'Two signals; SIGTERM while a node starts, and while it fences itself',
    holds: 'It ends in time, and leaves nothing behind',
    checks: [soaked('deaths#twoSignals'), soaked('deaths#stopWhileStarting'), soaked('deaths#stopWhileFencing')],
    specs: [spec('e2e/boot', 'ends in order when it is terminated before')],
  },
];
