/**
 * Starts one node of the sample: `PORT` and `HOST` say where its HTTP listens, Foundation reads its own variables.
 */
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';

const app = await NestFactory.create(AppModule);

// Without it SIGTERM ends the process at once, and what it owns moves only when its leases have expired.
app.enableShutdownHooks();

// Only for `npm run demo`, which wants to know who owned what, and when. Leave it out when you copy this file.
if (process.env['DEMO'] !== undefined) (await import('../demo/report.js')).report(app);

await app.listen(Number(process.env['PORT'] ?? 3000), process.env['HOST'] ?? '0.0.0.0');
