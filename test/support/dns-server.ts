// A DNS server on 127.0.0.1 with the records of a test: the wire format is that of `dns-packet`, the questions are
// Node's own.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { Packet, SrvAnswer, StringAnswer } from 'dns-packet';
import { eventually } from 'nestjs-foundation/testing';
import { freeUdpPort } from './udp.js';

const dnsPacket = createRequire(import.meta.url)('dns-packet') as typeof import('dns-packet');
/** A record of a test: those types that the strategy asks for. */
export type DnsRecord = (StringAnswer & { type: 'A' | 'AAAA' }) | SrvAnswer;

const RCODE = { NXDOMAIN: 3, SERVFAIL: 2 };

export class DnsServer {
  records: DnsRecord[] = [];
  /** What it does to every question instead of answering it. */
  fault: 'none' | 'silence' | 'SERVFAIL' | 'garbage' = 'none';
  readonly asked: { name: string; at: number }[] = [];

  private constructor(
    private readonly socket: Socket,
    readonly address: string,
  ) {
    socket.on('message', (message, from) => this.#answer(message, from));
  }

  static async start(records: DnsRecord[] = []): Promise<DnsServer> {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const server = new DnsServer(socket, `127.0.0.1:${socket.address().port}`);
    server.records = records;
    return server;
  }

  async stop(): Promise<void> {
    this.socket.close();
    await once(this.socket, 'close');
  }

  #answer(message: Buffer, from: RemoteInfo): void {
    const query = dnsPacket.decode(message);
    const [question] = query.questions ?? [];
    if (question === undefined) return;
    this.asked.push({ name: question.name, at: performance.now() });
    if (this.fault === 'silence') return;
    if (this.fault === 'garbage') return this.socket.send(Buffer.from('no DNS at all'), from.port, from.address);
    const named = this.records.filter(({ name }) => name.toLowerCase() === question.name.toLowerCase());
    const rcode = this.fault === 'SERVFAIL' ? RCODE.SERVFAIL : named.length === 0 ? RCODE.NXDOMAIN : 0;
    const answer: Packet = {
      type: 'response',
      id: query.id ?? 0,
      flags: dnsPacket.RECURSION_DESIRED | dnsPacket.RECURSION_AVAILABLE | rcode,
      questions: [question],
      answers: rcode === 0 ? named.filter(({ type }) => type === question.type) : [],
    };
    this.socket.send(dnsPacket.encode(answer), from.port, from.address);
  }
}

/** True where the DNS server of Debian's package `dnsmasq-base` is. */
export const hasDnsmasq = (): boolean => spawnSync('dnsmasq', ['--version']).status === 0;

/** A real DNS server, with records that stay as they are. */
export class Dnsmasq {
  private constructor(
    private readonly child: ChildProcess,
    readonly address: string,
  ) {}

  static async start(records: readonly DnsRecord[]): Promise<Dnsmasq> {
    const lines = records.map((record) =>
      record.type === 'SRV'
        ? `--srv-host=${record.name},${record.data.target},${record.data.port},${record.data.priority ?? 0}`
        : `--host-record=${record.name},${record.data}`,
    );
    // It answers for the zone of the tests alone, and asks nobody.
    const own = ['--no-resolv', '--no-hosts', '--local=/test/', '--conf-file=/dev/null', '--pid-file', '--user=root'];
    const where = ['--no-daemon', '--listen-address=127.0.0.1', '--bind-interfaces'];
    for (let tries = 1; ; tries++) {
      const port = await freeUdpPort();
      const child = spawn('dnsmasq', [...where, `--port=${port}`, ...own, ...lines], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let output = '';
      child.stderr.on('data', (data) => (output += String(data)));
      const word = await eventually(() => /started|failed/.exec(output)?.[0], {
        what: 'dnsmasq',
        lastSeen: () => output,
      });
      if (word === 'started') return new Dnsmasq(child, `127.0.0.1:${port}`);
      // The port was free for UDP, and it listens for TCP as well.
      if (tries === 5) throw new Error(`dnsmasq did not start: ${output}`);
    }
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.kill();
    await ended;
  }
}
