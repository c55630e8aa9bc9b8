// Calls between two processes: an echo, one caller at a time and a hundred, small and large values.
import { WARM_SECONDS, warmUp } from './warmth.mjs';

export const rpc = {
  about: 'remote calls: one caller and 100 at a time, 100 B and 1 KB',
  parts: ['serve', 'connect'],

  phases: ({ seconds }) =>
    [1, 100].flatMap((concurrency) =>
      [100, 1000].map((size) => ({
        key: `c${concurrency}-${size}`,
        title: `echo of ${size} B, ${concurrency} call${concurrency > 1 ? 's' : ''} at a time`,
        columns: ['rate', 'avg', 'p50', 'p99', 'cpu', 'others'],
        better: concurrency === 1 ? 'p50' : 'rate',
        // A call takes several turns of two processes, so it warms up with fewer than messages do.
        warm: (team, share) => {
          const most = (share * warmUp(size)) / (concurrency === 1 ? 10 : 2);
          return team.sender.ask('calls', { seconds: WARM_SECONDS, concurrency, size, most });
        },
        run: (team) => team.measure(() => team.sender.ask('calls', { seconds, concurrency, size })),
      })),
    ),
};
