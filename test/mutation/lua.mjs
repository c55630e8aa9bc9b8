// The mutants of the Lua in a file: of each template, comments and what is put in apart. A line that stands for itself
// is left out, a condition becomes true or false, a comparison or an operator another one.
import ts from 'typescript';

const SWAPS = [
  [/ == /g, ' ~= '],
  [/ ~= /g, ' == '],
  [/ < /g, ' <= '],
  [/ <= /g, ' < '],
  [/ > /g, ' >= '],
  [/ >= /g, ' > '],
  [/ and /g, ' or '],
  [/ or /g, ' and '],
  [/\bnot /g, ''],
  [/ \+ 1\b/g, ''],
  [/ - 1\b/g, ''],
  [/ \+ (?!1\b)/g, ' - '],
  [/ - (?!1\b)/g, ' + '],
  [/ \* /g, ' / '],
  [/math\.max/g, 'math.min'],
  [/math\.min/g, 'math.max'],
  [/'NX'/g, "'XX'"],
];
/** Lines of which nothing else in the script hangs, but what they do. */
const ALONE = /^\s*(redis\.p?call\(|tell\(|[a-z_.]+(\[[^\]]*\])? = |if .* then .* end$|for .* do .* end$)/;
const CONDITION = /\b(?:if|elseif) (.+?) then\b/g;

export function luaMutants(file) {
  const found = [];
  const visit = (node) => {
    if (ts.isNoSubstitutionTemplateLiteral(node) || ts.isTemplateHead(node)) mutate(node, found);
    else if (ts.isTemplateMiddle(node) || ts.isTemplateTail(node)) mutate(node, found);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function mutate(node, found) {
  const text = node.getText();
  const start = node.getStart();
  if (!text.includes('\n') && !text.includes('redis.call')) return;
  let at = start;
  for (const line of text.split('\n')) {
    const code = line.replace(/--.*$/, '');
    for (const [pattern, put] of SWAPS)
      for (const { index, 0: was } of code.matchAll(pattern)) {
        if (!isQuoted(code, index)) found.push({ start: at + index, end: at + index + was.length, put });
      }
    for (const { index, 0: whole, 1: was } of code.matchAll(CONDITION)) {
      const from = at + index + whole.indexOf(was);
      for (const put of ['true', 'false']) found.push({ start: from, end: from + was.length, put });
    }
    if (ALONE.test(code)) found.push({ start: at, end: at + code.length, put: '' });
    at += line.length + 1;
  }
}

/** Inside of a text of Lua. */
function isQuoted(code, index) {
  return (code.slice(0, index).match(/'/g) ?? []).length % 2 === 1;
}
