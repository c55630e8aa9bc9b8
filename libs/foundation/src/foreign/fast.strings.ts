/**
 * Keeps the methods of strings fast, in all of the process. Imported before whatever loads ioredis.
 *
 * ioredis 6 has a class that extends `String`. V8 then turns `String.prototype`, which was no prototype of objects
 * before, into a dictionary for good, and inlines no method of any string any more: a loop over `charCodeAt` takes five
 * times as long (Node 20, 22 and 24), packing messages twice. A prototype through which properties have been looked up
 * stays as it is, so a few are looked up here (`JSObject::MakePrototypesFast` in V8's objects/js-objects.cc).
 *
 * In an application that loads ioredis before `nestjs-foundation` it comes too late, and changes nothing.
 */
const lookUp = (text: object): unknown => (text as { nothing?: unknown }).nothing;

// The second time is the one that counts.
for (let times = 0; times < 10; times++) lookUp(Object('') as object);
