import type { Element } from './element.text';

export const CHANNEL: Element = {
  kind: 'channel',
  suffix: 'Channel',
  imports: ['Channel', 'Channels', 'Injectable', 'IsString'],
  source: ({ file, type }) => {
    const message = type.replace(/Channel$/, 'Message');
    return `import { Injectable } from '@nestjs/common';
import { IsString } from 'class-validator';
import { Channel, Channels } from 'nestjs-foundation';

/** What is sent. A message that fails the checks reaches no handler. */
export class ${message} {
  @IsString()
  text!: string;
}

/** Sends to all nodes, and hears on each of them. */
@Injectable()
export class ${type} {
  readonly heard: string[] = [];

  constructor(private readonly channels: Channels) {}

  @Channel('events', { type: '${file}', payload: ${message} })
  onMessage(message: ${message}): void {
    this.heard.push(message.text);
  }

  /** With the timeout it waits until every node has handled it. */
  async send(message: ${message}): Promise<void> {
    const options = { type: '${file}', timeout: 5000 };
    await this.channels.broadcast('events', message, options);
  }
}
`;
  },
  uses: [],
  test: ({ type }) => ({
    name: 'hears what is sent',
    body: `const channel = app.get(${type});
await channel.send({ text: 'hello' });
expect(channel.heard).toEqual(['hello']);
`,
  }),
};
