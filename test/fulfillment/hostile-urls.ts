/** URLs that lead inside, or may: `{port}` is that of a local listener. Each is one way to say it. */
const of = (spellings: string): string[] => spellings.trim().split(/\s+/);
const https = (hosts: string): string[] => of(hosts).map((host) => `https://${host}/hooks`);

/** An address of every special range of IPv4, and the ends of some. */
export const specialIpv4 = of(`
  0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.100.100.200 100.127.255.255 127.0.0.1 127.0.0.2
  127.255.255.254 168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 169.254.255.255 172.16.0.0 172.31.255.255
  192.0.0.1 192.0.0.192 192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1 192.168.0.0 192.168.255.255 192.175.48.1
  198.18.0.0 198.19.255.255 198.51.100.1 203.0.113.255 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255`);

/** The same of IPv6: in several spellings, and with IPv4 addresses inside. */
export const specialIpv6 = of(`
  ::1 0:0:0:0:0:0:0:1 0000:0000:0000:0000:0000:0000:0000:0001 ::0001 :: ::7f00:1 ::127.0.0.1 ::a9fe:a9fe ::8.8.8.8
  ::ffff:127.0.0.1 ::ffff:7f00:1 ::FFFF:7F00:0001 0:0:0:0:0:ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254
  ::ffff:a9fe:a9fe ::ffff:8.8.8.8 ::ffff:0:7f00:1 ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::127.0.0.1
  64:ff9b::a9fe:a9fe 64:ff9b::8.8.8.8 64:ff9b:1::7f00:1 2002:7f00:1:: 2002:a9fe:a9fe::1 2002:808:808::
  2001::1 2001:0:4136:e378:8000:63bf:80ff:fffe 2001:2::1 2001:10::1 2001:20::1 2001:db8::1 3fff::1 3fff:fff::1
  2620:4f:8000::1 fc00::1 fd00::1 fd00:ec2::254 fd20:ce::254 fe80::1 febf::1 fec0::1 ff02::1 ff05::1:3 ff0e::1
  100::1 100:0:0:1::1 5f00::1 4000::1 8000::1`);

/** Numbers that a URL parser takes for addresses. */
const spelledIpv4 = https(`
  0x7f.1 0x7f.0.0.1 0x7f.0.1 0x7f.0x0.0x0.0x1 0x7f000001 0X7F000001 2130706433 127.1 127.0.1 127.0x0.1 127.0.0.0x1
  0177.0.0.1 0177.1 0177.0x0.0.1 00000177.0.0.1 017700000001 127.000.000.001 127.0.0.1. 127.1. 0x7f.1.
  %31%32%37.0.0.1 127%2e0%2e0%2e1 %30x7f.1 ①②⑦.0.0.1 ⑫⑦.0.0.1 １２７.０.０.１ 127。0。0。1 127．0．0．1 127｡0｡0｡1
  0x7f。1 127.0.0.\u00ad1 127.0.0.1\u200b 0 00 0x0 0x 0.0 0. 2852039166 0xa9fea9fe 0xA9.0xFE.0xA9.0xFE
  0251.0376.0251.0376 169.16689662 169.254.43518 0251.254.169.254 10.1 192.168.257 0xc0a80101 3232235777 167772161
  0xac100001 3758096385 4294967295 0xffffffff 1681915904`);

const names = https(`
  localhost LOCALHOST lOcAlHoSt localhost. localhost.. a.localhost a.b.localhost. localhost.localdomain
  localhost6.localdomain6.local ⓛⓞⓒⓐⓛⓗⓞⓢⓣ ｌｏｃａｌｈｏｓｔ loc\u00adalhost localhost。 %6cocalhost metadata
  metadata.google.internal metadata.google.internal. METADATA.GOOGLE.INTERNAL metadata。google。internal
  metadata.goog instance-data instance-data.ec2.internal kubernetes.default.svc
  kubernetes.default.svc.cluster.local host.docker.internal gateway.docker.internal router.lan nas.home printer.local
  intranet wiki.intranet wiki.corp db.private box.home.arpa abc.onion x.invalid x.test x.alt ..
  shop..example.org .shop.example.org shop.example.org.. 8.8.8.8..`);

/** The service itself is at pay.example.com. */
const ownHost = https(`pay.example.com PAY.example.com pay.example.com. pay.example.com:443 pay。example。com
  p%61y.example.com ｐａｙ.example.com`);

const ports = https(`shop.example.org:8443 shop.example.org:80 shop.example.org:22 shop.example.org:25
  shop.example.org:6379 shop.example.org:5432 shop.example.org:1 shop.example.org:65535 shop.example.org:0
  shop.example.org:99999 shop.example.org:-1 shop.example.org:{port} 127.0.0.1:{port} 127.1:{port} [::1]:{port}
  localhost:{port} 8.8.8.8:8443`);

const otherShapes = [
  'https:127.0.0.1/',
  'https:/127.0.0.1/',
  'https:///127.0.0.1/',
  'https:////127.0.0.1/',
  'HTTPS://127.0.0.1/',
  'https://127.0.0.1',
  'https://127.0.0.1:443/',
  'https://127.0.0.1:/',
  'https://127.0.0.1:0443/',
  'https://127.0.0.1?x',
  'https://127.0.0.1#x',
  'https://127.0.0.1/..;/',
  'https://shop.example.org@127.0.0.1/',
  'https://shop.example.org:443@127.0.0.1/',
  'https://shop.example.org%20@127.0.0.1/',
  'https://127.0.0.1@shop.example.org/',
  'https://user:pw@shop.example.org/',
  'https://user@shop.example.org/',
  'https://:pw@shop.example.org/',
  'https://127.0.0.1%2f@shop.example.org/',
  'https://shop.example.org%40127.0.0.1/',
  'https:\\\\127.0.0.1\\x',
  'https://shop.example.org\\@127.0.0.1/',
  'https://127.0.0.1\\@shop.example.org/',
  'https://127.0.0.1\\.shop.example.org/',
  '\\\\127.0.0.1\\x',
  'https://shop.example.org\t@127.0.0.1/',
  'https://127.0.0.\n1/',
  'ht\ntps://127.0.0.1/',
  ' https://127.0.0.1/',
  'https://127.0.0.1/ ',
  '\u0001https://127.0.0.1/',
  'https://127.0.0.1\u0000.shop.example.org/',
  'https://127.0.0.1%00.shop.example.org/',
  'https://shop.example.org/\r\nHost: 127.0.0.1',
  'https://[fe80::1%25eth0]/',
  'https://[fe80::1%eth0]/',
  'https://[::1%25lo]/',
  'https://[::1].shop.example.org/',
  'https://[::1].',
  'https://::1/',
  'https://[127.0.0.1]/',
  'https://[v1.fe80::1]/',
  'http://shop.example.org/',
  'http://shop.example.org:443/',
  'http://127.0.0.1/',
  'http://127.0.0.1:{port}/',
  'http://[::1]:{port}/',
  'ftp://shop.example.org/',
  'file:///etc/passwd',
  'gopher://127.0.0.1:{port}/_x',
  'dict://127.0.0.1:{port}/',
  'ws://127.0.0.1:{port}/',
  'wss://shop.example.org/',
  'data:text/plain,x',
  'javascript:alert(1)',
  'blob:https://shop.example.org/x',
  'unix:/var/run/docker.sock',
  '//127.0.0.1/',
  '127.0.0.1',
  'shop.example.org',
  'shop.example.org:443',
  'https://',
  'https:///',
  'https://?x',
  '/',
  'x',
  `https://shop.example.org/${'x'.repeat(2048)}`,
];

/** All of them; each has to be refused when it is registered and again when something is sent. */
export const hostileUrls: readonly string[] = [
  ...specialIpv4.map((address) => `https://${address}/hooks`),
  ...specialIpv6.map((address) => `https://[${address}]/hooks`),
  ...spelledIpv4,
  ...names,
  ...ownHost,
  ...ports,
  ...otherShapes,
];
