// What the site does with Markdown that GitHub does by itself: anchors of headings, links out of docs/, images for
// light and dark.
import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { ROOT, SOURCE } from './pages.mjs';

/** The anchor of a heading, as GitHub makes it, so that one link does for both. */
export const anchorOf = (heading) =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

const { repository } = JSON.parse(readFileSync(join(ROOT, 'libs/foundation/package.json'), 'utf8'));
const url = repository?.url?.replace(/^git\+/, '').replace(/\.git$/, '');
// A name of the reserved domain stands for one that is not known yet.
const home = url?.includes('.example/') ? undefined : url;

/** A plug-in of markdown-it. */
export function github(md) {
  // Files outside of docs/ are in the repository. While that is not known, their names stay, without a link.
  md.core.ruler.push('links-out', ({ tokens, env }) => {
    for (const { children } of tokens) {
      for (const [index, token] of (children ?? []).entries()) {
        if (token.type !== 'link_open') continue;
        const href = token.attrGet('href') ?? '';
        if (/^[a-z]+:|^[#/]/.test(href)) continue;
        const path = relative(SOURCE, resolve(SOURCE, dirname(env.relativePath ?? ''), href));
        if (!path.startsWith('..')) continue;
        const inRepository = relative(ROOT, resolve(ROOT, 'docs', path));
        if (home !== undefined) token.attrSet('href', `${home}/blob/main/${inRepository}`);
        else unlink(children, index);
      }
    }
  });
  // The lists of pages on the home page: a heading and its list belong together.
  md.core.ruler.push('sections', (state) => {
    if (state.env.relativePath !== 'index.md') return;
    const html = (content) => Object.assign(new state.Token('html_block', '', 0), { content });
    state.tokens = state.tokens.flatMap((token) => {
      if (token.type === 'heading_open' && token.tag === 'h2') return [html('<section>'), token];
      return token.type === 'bullet_list_close' && token.level === 0 ? [token, html('</section>')] : [token];
    });
  });
  // <picture> chooses by the system; a reader of the site chooses by its switch.
  const { html_block: htmlBlock } = md.renderer.rules;
  md.renderer.rules.html_block = (tokens, index, options, env, self) => {
    const text = tokens[index].content;
    const [, dark, light, alt] =
      /<picture>\s*<source media="\(prefers-color-scheme: dark\)" srcset="([^"]+)"\s*\/>\s*<img src="([^"]+)" alt="([^"]+)"\s*\/>\s*<\/picture>/.exec(
        text,
      ) ?? [];
    if (dark === undefined) return htmlBlock?.(tokens, index, options, env, self) ?? text;
    return `<img class="in-light" src="${light}" alt="${alt}"><img class="in-dark" src="${dark}" alt="${alt}">\n`;
  };
  // A piece of a file says which.
  const { fence } = md.renderer.rules;
  md.renderer.rules.fence = (tokens, index, ...rest) => {
    const file = tokens[index].info.split(/\s+/).find((word) => /^[\w.-]+\/[\w./-]+$/.test(word));
    // VitePress takes a number in what follows the language for a line to highlight.
    tokens[index].info = tokens[index].info.split(/\s+/)[0];
    return `${file === undefined ? '' : `<p class="file">${file}</p>`}${fence(tokens, index, ...rest)}`;
  };
  // A drawing is put into the page, so that it follows the switch, too.
  const { image } = md.renderer.rules;
  md.renderer.rules.image = (tokens, index, options, env, self) => {
    const source = tokens[index].attrGet('src') ?? '';
    if (!source.endsWith('.svg') || /^[a-z]+:/.test(source)) return image(tokens, index, options, env, self);
    const drawing = readFileSync(resolve(SOURCE, dirname(env.relativePath ?? ''), source), 'utf8');
    return drawing
      .replace(/<!--[^]*?-->\s*/g, '')
      .replace(/@media \(prefers-color-scheme: dark\) \{([^]*?\})\s*\}/, (_, rules) =>
        rules.replace(/([^{}]+)\{/g, '.dark $1{'),
      )
      .replace(/<style>([^]*?)<\/style>/, (_, css) => `<component is="style">${css}</component>`)
      .replace(/\s*\n\s*/g, ' ');
  };
}

function unlink(children, index) {
  let depth = 0;
  for (let at = index; at < children.length; at++) {
    if (children[at].type === 'link_open') depth++;
    if (children[at].type === 'link_close') depth--;
    if (at === index || depth === 0) Object.assign(children[at], { type: 'text', tag: '', nesting: 0, content: '' });
    if (depth === 0) return;
  }
}
