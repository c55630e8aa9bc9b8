/**
 * Rules of the library: functions of users are called through the gate (`src/foreign/gate.ts`), and no promise goes
 * unattended. Used by `eslint.config.js`.
 */

/** What sets of listeners, and single callbacks among options, are called here. */
const LISTENERS = /(listener|hook|handler|watcher|subscriber|interrupted)s?$/i;
const CALLBACKS = /^(on[A-Z]\w*|healthCheck|filter|predicate)$/;
const OPTIONS = /^#?(options|config|criteria|question|subject)$/;

const nameOf = (node) => {
  if (node?.type === 'Identifier' || node?.type === 'PrivateIdentifier') return node.name;
  if (node?.type === 'MemberExpression') return nameOf(node.property);
  if (node?.type === 'ArrayExpression') return nameOf(node.elements[0]?.argument);
  if (node?.type === 'LogicalExpression') return nameOf(node.left);
  if (node?.type === 'CallExpression') return nameOf(node.callee.object);
  return undefined;
};

const throughTheGate = {
  meta: { type: 'problem', schema: [] },
  create(context) {
    const report = (node, name) =>
      context.report({
        node,
        message: `${name} may be a function of the user's: call it through a Gate (foreign/gate.ts).`,
      });
    /** The loop over listeners that declares this name, if there is one. */
    const isListener = (node) => {
      const scope = context.sourceCode.getScope(node);
      for (let each = scope; each !== null; each = each.upper) {
        const variable = each.set.get(node.name);
        if (variable === undefined) continue;
        const loop = variable.defs[0]?.node?.parent?.parent;
        return loop?.type === 'ForOfStatement' && LISTENERS.test(nameOf(loop.right) ?? '');
      }
      return false;
    };
    return {
      CallExpression({ callee }) {
        if (callee.type === 'Identifier' && isListener(callee)) report(callee, callee.name);
        if (callee.type !== 'MemberExpression') return;
        if (callee.object.type === 'Identifier' && callee.computed && isListener(callee.object))
          report(callee, callee.object.name);
        if (CALLBACKS.test(nameOf(callee.property) ?? '') && OPTIONS.test(nameOf(callee.object) ?? ''))
          report(callee, nameOf(callee));
      },
    };
  },
};

const attended = {
  meta: { type: 'problem', schema: [] },
  create(context) {
    const { program, esTreeNodeToTSNodeMap } = context.sourceCode.parserServices;
    const checker = program.getTypeChecker();
    return {
      "UnaryExpression[operator='void']"(node) {
        const type = checker.getTypeAtLocation(esTreeNodeToTSNodeMap.get(node.argument));
        const parts = type.isUnion() ? type.types : [type];
        if (!parts.some((part) => part.getProperty('then') !== undefined)) return;
        context.report({
          node,
          message: 'Nobody would hear of its rejection: hand the promise to unattended() (foreign/gate.ts).',
        });
      },
    };
  },
};

export default { rules: { 'through-the-gate': throughTheGate, attended } };
