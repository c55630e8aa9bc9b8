import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitepress';
import { anchorOf, github } from '../markdown.mjs';
import { groups, SOURCE, summary, writeMarkdown } from '../pages.mjs';

const LOGO =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cg fill='%234f7df0'%3E%3Ccircle cx='8' cy='3.5' r='2.5'/%3E%3Ccircle cx='3.5' cy='11.5' r='2.5'/%3E%3Ccircle cx='12.5' cy='11.5' r='2.5'/%3E%3C/g%3E%3C/svg%3E";
const link = (path) => `/${path.replace(/\.md$/, '').replace(/(^|\/)index$/, '$1')}`;
const listed = groups();
const hasApi = existsSync(join(SOURCE, 'reference/api'));
const sidebar = listed.map(({ title, pages }) => ({
  text: title,
  collapsed: ['Reference', 'Contributing'].includes(title),
  items: [
    ...pages.map((page) => ({ text: page.title.replaceAll('`', ''), link: link(page.path) })),
    ...(title === 'Reference' && hasApi ? [{ text: 'API', link: '/reference/api/' }] : []),
  ],
}));
const nav = listed
  .filter(({ title }) => !['Operations', 'Contributing'].includes(title))
  .map(({ title, pages }) => ({
    text: title,
    link: link(pages[0].path),
    activeMatch: `^(${pages.map(({ path }) => link(path)).join('|')})$`,
  }));

export default defineConfig({
  title: 'Foundation for NestJS',
  description: summary(),
  lang: 'en',
  srcDir: SOURCE,
  cleanUrls: true,
  lastUpdated: false,
  head: [
    ['link', { rel: 'icon', href: LOGO }],
    ['meta', { name: 'theme-color', content: '#2b5fd9' }],
  ],
  markdown: {
    anchor: { slugify: anchorOf },
    toc: { slugify: anchorOf },
    headers: { slugify: anchorOf },
    theme: { light: 'github-light', dark: 'github-dark' },
    config: github,
  },
  // The pages lie outside of this folder, where no vue is found.
  vite: {
    resolve: {
      alias: [
        {
          find: /^vue$/,
          replacement: join(import.meta.dirname, '../node_modules/vue/dist/vue.runtime.esm-bundler.js'),
        },
        {
          find: /^vue\/server-renderer$/,
          replacement: join(import.meta.dirname, '../node_modules/vue/server-renderer/index.mjs'),
        },
      ],
    },
    // The index of the search is one chunk, and loaded when somebody searches.
    build: { chunkSizeWarningLimit: 8000 },
    server: { fs: { allow: [join(import.meta.dirname, '../..')] } },
  },
  themeConfig: {
    logo: { src: LOGO, alt: '' },
    siteTitle: 'Foundation',
    nav,
    sidebar,
    outline: { level: [2, 3] },
    search: { provider: 'local' },
  },
  transformPageData(page) {
    page.frontmatter.head ??= [];
    page.frontmatter.head.push(['link', { rel: 'alternate', type: 'text/markdown', href: `/${page.relativePath}` }]);
    if (page.relativePath === 'index.md') {
      Object.assign(page.frontmatter, {
        layout: 'home',
        title: 'Foundation for NestJS',
        titleTemplate: false,
        hero: {
          name: 'Foundation',
          text: 'for NestJS',
          tagline: 'Cluster-wide singletons, cron, calls and channels for applications that run as several processes.',
          actions: [
            { theme: 'brand', text: 'First use', link: '/start/first-use' },
            { theme: 'alt', text: 'Which one do I want?', link: '/start/which-one' },
          ],
        },
      });
    }
  },
  buildEnd: ({ outDir }) => writeMarkdown(outDir),
});
