// The files of a deployment: those of the sample application, which its own tests hold together, under another name.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { application, type Files, json, moduleWith, run } from '../support/applications';

const SAMPLE = join(__dirname, '../../deploy');
const files = readdirSync(SAMPLE, { recursive: true, encoding: 'utf8' }).filter((file) =>
  /\.(yaml|example|json)$/.test(file),
);
const withFoundation = (options = '{ cluster: true }', changed: Files = {}) =>
  application(12, {
    'package-lock.json': '{}',
    'src/app.module.ts': moduleWith(
      `{ imports: [FoundationModule.forRoot(${options})] }`,
      "import { FoundationModule } from 'nestjs-foundation';\n",
    ),
    ...changed,
  });
const deploy = (options = {}, tree = withFoundation()) => run('deploy', { sourceRoot: 'src', ...options }, tree);
const withoutComments = (text: string) => text.replace(/^\s*#.*\n/gm, '');

describe('nest g -c nestjs-foundation deploy', () => {
  it('writes the files of the sample application, under the name of this one', async () => {
    const { tree } = await deploy({ name: 'foundation-app' });
    expect(files.length).toBeGreaterThan(5);
    for (const file of files) {
      const written = tree.readContent(`deploy/${file}`);
      expect(withoutComments(written)).toBe(withoutComments(readFileSync(join(SAMPLE, file), 'utf8')));
      expect(written).not.toMatch(/README\.md|spec\.ts|(?<!node_modules\/nestjs-foundation\/)docs\//);
    }
    const { tree: other } = await deploy();
    const all = [...files.map((file) => `deploy/${file}`), 'Dockerfile'].map((file) => other.readContent(file));
    expect(all.join('\n')).not.toMatch(/foundation-app/);
    expect(other.readContent('deploy/kubernetes/app.yaml')).toContain('{ name: FOUNDATION_APP_NAME, value: shop }');
    expect(other.readContent('deploy/kubernetes/rights.yaml')).toContain('name: foundation-shop\n');
  });

  it('imports the probes, and installs what the strategy needs', async () => {
    const { tree, tasks } = await deploy();
    expect(tree.readContent('src/app.module.ts')).toContain(
      'imports: [FoundationModule.forRoot({ cluster: true }), FoundationHealthModule]',
    );
    expect(tree.readContent('package.json')).toContain('"@kubernetes/client-node": "^1.4.0"');
    expect(tasks).toEqual(['node-package']);
  });

  it('keeps the secrets out of git and out of the image', async () => {
    expect((await deploy()).tree.readContent('.gitignore')).toBe('deploy/.env\n');
    const ignored = withFoundation(undefined, { '.gitignore': '/dist\n.env\n' });
    expect((await deploy({}, ignored)).tree.readContent('.gitignore')).toBe('/dist\n.env\n');
    expect((await deploy()).tree.readContent('.dockerignore').split('\n')).toContain('**/.env*');
  });

  it.each([
    ['package-lock.json', 'RUN npm ci '],
    ['pnpm-lock.yaml', 'RUN corepack enable && pnpm install --frozen-lockfile'],
    ['yarn.lock', 'RUN yarn install --frozen-lockfile'],
  ])('builds the image with the package manager of %s', async (lock, line) => {
    const { tree } = await deploy({}, withFoundation(undefined, { 'package-lock.json': undefined, [lock]: '' }));
    expect(tree.readContent('Dockerfile')).toContain(`COPY package.json ${lock} ./\n${line}`);
  });

  it.each([
    [{}, 'dist/main.js'],
    [{ 'start:prod': 'node dist/main' }, 'dist/main.js'],
    [{ 'start:prod': 'node --enable-source-maps dist/apps/shop/main.js' }, 'dist/apps/shop/main.js'],
  ])('starts what the scripts %j start', async (scripts, script) => {
    const manifest = json({ name: 'shop', scripts, dependencies: { '@nestjs/core': '^12.0.0' } });
    const { tree } = await deploy({}, withFoundation(undefined, { 'package.json': manifest }));
    expect(tree.readContent('Dockerfile')).toContain(`\nCMD ["node", "${script}"]\n`);
  });

  it('builds and starts the application of a monorepo that the Nest CLI names', async () => {
    const projects = { billing: { type: 'application', root: 'apps/billing', sourceRoot: 'apps/billing/src' } };
    const tree = withFoundation(undefined, { 'nest-cli.json': json({ monorepo: true, sourceRoot: 'src', projects }) });
    tree.create('apps/billing/src/main.ts', tree.readText('src/main.ts'));
    tree.create('apps/billing/src/app.module.ts', tree.readText('src/app.module.ts'));
    const { tree: changed } = await deploy({ sourceRoot: 'apps/billing/src', project: 'billing' }, tree);
    expect(changed.readContent('Dockerfile')).toContain('RUN npm run build -- billing && npm prune');
    expect(changed.readContent('Dockerfile')).toContain('CMD ["node", "dist/apps/billing/main.js"]');
    expect(changed.readContent('deploy/compose.yaml')).toContain('FOUNDATION_APP_NAME: billing\n');
  });

  it('looks for the probes below the global prefix', async () => {
    const main = (call: string) => ({
      'src/main.ts': `import { AppModule } from './app.module.js';\nconst app = await NestFactory.create(AppModule);\n${call}`,
    });
    const { tree } = await deploy({}, withFoundation(undefined, main("app.setGlobalPrefix('api');")));
    expect(tree.readContent('deploy/kubernetes/app.yaml')).toContain('path: /api/health/ready,');
    expect(tree.readContent('Dockerfile')).toContain("+ '/api/health/live')");
    const { said } = await deploy({}, withFoundation(undefined, main('app.setGlobalPrefix(PREFIX);')));
    expect(said.join()).toContain('sets a global prefix: look whether');
  });

  it.each([
    ['{ cluster: true }', {}, 'shop'],
    ["{ appName: 'billing' }", {}, 'billing'],
    ["{ appName: 'billing' }", { name: 'billing' }, 'billing'],
    ['{ appName }', { name: 'billing' }, 'billing'],
  ])('goes with forRoot(%s) and %j by the name %s', async (options, given, name) => {
    const { tree } = await deploy(given, withFoundation(options));
    expect(tree.readContent('deploy/compose.yaml')).toContain(`FOUNDATION_APP_NAME: ${name}\n`);
  });

  it.each([
    ['no Foundation', { 'src/app.module.ts': moduleWith('{}') }, {}, 'No module of this application imports'],
    [
      'another name in the code',
      {},
      { name: 'billing' },
      'calls the application orders, and the files would call it billing',
    ],
    ['no lock file', { 'package-lock.json': undefined }, {}, 'There is no lock file to build an image from'],
    ['a Dockerfile', { Dockerfile: '' }, {}, 'Dockerfile exists'],
    ['a name of another thing', {}, { name: 'redis' }, '"redis" cannot be the name of a namespace'],
    ['a name that is none', {}, { name: 'My_App' }, '"My_App" cannot be the name of a namespace'],
  ])('refuses in one sentence: %s', async (what, changed, given, sentence) => {
    const options = what === 'another name in the code' ? "{ appName: 'orders' }" : undefined;
    const message = await deploy(given, withFoundation(options, changed)).catch((error: Error) => error.message);
    expect(message).toContain(sentence);
    expect(message).toMatch(/^[^\n]*; nothing was changed: [^\n]*\.$/);
  });
});
