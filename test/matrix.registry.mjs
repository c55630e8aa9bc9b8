// A registry of npm that has the packed library, and sends npm on to its own registry for all the rest: with it
// `nest add nestjs-foundation` is tried as it is typed. It is a process of its own, which sends its parent the URL and
// ends with it.
import { execFileSync, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(import.meta.url);

/** Starts it on 127.0.0.1 and a free port; `manifest` is the file package.json of what is packed. */
export async function startRegistry(tarball, manifest) {
  const child = fork(PROGRAM, [tarball, manifest]);
  const url = await new Promise((done, fail) => {
    child.once('message', done);
    child.once('exit', (code) => fail(new Error(`The registry ended with ${code}`)));
  });
  return { url, stop: () => child.kill() };
}

if (process.argv[1] === PROGRAM) serve(process.argv[2], JSON.parse(readFileSync(process.argv[3], 'utf8')));

function serve(tarball, manifest) {
  const behind = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim().replace(/\/$/, '');
  const bytes = readFileSync(tarball);
  const { name, version } = manifest;
  const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
  const server = createServer((request, response) => {
    if (request.url === `/${name}.tgz`) return response.end(bytes);
    if (request.url !== `/${name}`) return response.writeHead(302, { location: behind + request.url }).end();
    const dist = { tarball: `http://127.0.0.1:${server.address().port}/${name}.tgz`, integrity };
    response.setHeader('content-type', 'application/json');
    const versions = { [version]: { ...manifest, dist } };
    response.end(JSON.stringify({ name, 'dist-tags': { latest: version }, versions }));
  });
  server.listen(0, '127.0.0.1', () => process.send(`http://127.0.0.1:${server.address().port}/`));
  process.once('disconnect', () => process.exit());
}
