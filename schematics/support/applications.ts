/**
 * Applications as `nest new` makes them, in memory, and the schematics run on them as the Nest CLI does.
 */
import { join } from 'node:path';
import { Tree } from '@angular-devkit/schematics';
import { SchematicTestRunner, type UnitTestTree } from '@angular-devkit/schematics/testing';

const MODULE = `import { Module } from '@nestjs/common';
import { AppController } from './app.controller';
import { AppService } from './app.service';

@Module({
  imports: [],
  controllers: [AppController],
  providers: [AppService],
})
export class AppModule {}
`;
const MAIN = `import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module';

async function bootstrap() {
  const app = await NestFactory.create(AppModule);
  await app.listen(process.env.PORT ?? 3000);
}
bootstrap();
`;
const TOOLS = {
  11: { devDependencies: { '@nestjs/cli': '^11.0.0', '@types/jest': '^30.0.0', jest: '^30.0.0' } },
  12: { type: 'module', devDependencies: { '@nestjs/cli': '^12.0.0', vitest: '^4.1.2' } },
};

/** Files of the application, by path; `undefined` for one that it has not. */
export type Files = Record<string, string | undefined>;

export function application(nest: 11 | 12, changed: Files = {}): Tree {
  const js = (text: string) => (nest === 12 ? text.replace(/'(\.\/[^']+)'/g, "'$1.js'") : text);
  const dependencies = {
    '@nestjs/common': `^${nest}.0.1`,
    '@nestjs/core': `^${nest}.0.1`,
    'reflect-metadata': '^0.2.2',
  };
  const files: Files = {
    'package.json': json({ name: 'shop', ...TOOLS[nest], dependencies }),
    'nest-cli.json': json({ collection: '@nestjs/schematics', sourceRoot: 'src' }),
    'tsconfig.json': json(nest === 12 ? { compilerOptions: { types: ['vitest/globals'] } } : {}),
    'src/main.ts': js(MAIN),
    'src/app.module.ts': js(MODULE),
    ...changed,
  };
  const tree = Tree.empty();
  for (const [path, text] of Object.entries(files)) if (text !== undefined) tree.create(path, text);
  return tree;
}

export function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

/** A module whose `@Module()` has these arguments. */
export function moduleWith(metadata: string, before = ''): string {
  return `import { Module } from '@nestjs/common';\n${before}\n@Module(${metadata})\nexport class AppModule {}\n`;
}

export interface Run {
  tree: UnitTestTree;
  /** What was logged. */
  said: string[];
  /** The names of the tasks that the devkit would carry out. */
  tasks: string[];
}

export async function run(name: string, options: object, tree: Tree): Promise<Run> {
  const runner = new SchematicTestRunner('nestjs-foundation', join(__dirname, '../collection.json'));
  const said: string[] = [];
  runner.logger.subscribe(({ message }) => said.push(message));
  const result = await runner.runSchematic(name, options, tree);
  return { tree: result, said, tasks: runner.tasks.map((task) => task.name) };
}

/** The text of each file. */
export function filesIn(tree: UnitTestTree): Record<string, string> {
  return Object.fromEntries(tree.files.map((path) => [path.slice(1), tree.readContent(path)]));
}
