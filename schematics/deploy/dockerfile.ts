/**
 * The image of an application: built with its own package manager, run as a user that is not root.
 */
import type { Tree } from '@angular-devkit/schematics';
import type { Application } from '../application/application';
import { Refusal } from '../refusal';

interface Manager {
  lock: string;
  install: string;
  build: string;
  prune: string;
}

const MANAGERS: Manager[] = [
  {
    lock: 'package-lock.json',
    install: 'npm ci --ignore-scripts --no-audit --no-fund',
    build: 'npm run build',
    prune: 'npm prune --omit=dev --ignore-scripts --no-audit --no-fund',
  },
  {
    lock: 'pnpm-lock.yaml',
    install: 'corepack enable && pnpm install --frozen-lockfile --ignore-scripts',
    build: 'pnpm run build',
    prune: 'pnpm prune --prod --ignore-scripts',
  },
  {
    lock: 'yarn.lock',
    install: 'yarn install --frozen-lockfile --ignore-scripts',
    build: 'yarn build',
    prune: 'yarn install --frozen-lockfile --ignore-scripts --production',
  },
];

export const DOCKERIGNORE = `.git
**/node_modules
**/dist
**/*.tsbuildinfo
**/.env*
`;

/** @param prefix what comes before the paths of the probes. */
export function dockerfile(tree: Tree, application: Application, name: string, prefix: string): string {
  const manager = MANAGERS.find(({ lock }) => tree.exists(lock));
  if (manager === undefined) {
    const known = MANAGERS.map(({ lock }) => lock).join(', ');
    throw new Refusal(`There is no lock file to build an image from (${known})`, 'install the packages first');
  }
  const { lock, install, build, prune } = manager;
  const { project } = application;
  // npm hands on what is behind `--` only.
  const which = project === undefined ? '' : ` ${build.startsWith('npm ') ? '-- ' : ''}${project.name}`;
  return `# This application as one node of a cluster: docker build -t ${name} .
FROM node:22-slim AS build
WORKDIR /app
# The manifests first, so that a change of the sources does not install everything again.
COPY package.json ${lock} ./
RUN ${install}
COPY . .
RUN ${build}${which} && ${prune}

FROM node:22-slim
WORKDIR /app
ENV NODE_ENV=production
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules/
COPY --from=build /app/dist dist/
# By number, because Kubernetes cannot tell that a name is not root.
USER 1000:1000
EXPOSE 3000
# Whether this process answers. How the cluster is must end no process.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s CMD ["node", "-e", "\\
  fetch('http://127.0.0.1:' + (process.env.PORT ?? 3000) + '${prefix}/health/live') \\
    .then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Not npm start: npm would be process 1, and SIGTERM has to reach the application, which then hands over what it owns.
CMD ["node", "${scriptOf(application)}"]
`;
}

/** What `npm run start:prod` starts; in a monorepo it starts the first application only. */
function scriptOf({ manifest: { scripts = {} }, project }: Application): string {
  if (project !== undefined) return `dist/${project.root}/main.js`;
  const [, script = 'dist/main'] = /^node (?:--[\w-]+(?:=\S+)? )*([\w./-]+)$/.exec(scripts['start:prod'] ?? '') ?? [];
  return /\.[cm]?js$/.test(script) ? script : `${script}.js`;
}
