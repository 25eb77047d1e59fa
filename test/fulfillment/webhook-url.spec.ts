import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isPublicAddress } from '../../src/fulfillment/public-address.js';
import { webhookUrlFault } from '../../src/fulfillment/webhook-url.js';

const live = { sandbox: false, publicUrl: 'https://pay.example.com' };
const sandbox = { ...live, sandbox: true };

describe('A webhook URL outside the sandbox', () => {
  it.each([
    'https://shop.example.org/hooks',
    'https://shop.example.org:443/',
    'https://8.8.8.8/',
    'https://[2606:4700::1111]/x',
    'https://xn--bcher-kva.example/',
  ])('may be %s', (url) => expect(webhookUrlFault(url, live)).toBeNull());

  it.each([
    'http://shop.example.org/',
    'https://shop.example.org:8443/',
    'ftp://shop.example.org/',
    'https://user:pw@shop.example.org/',
    'shop.example.org',
    `https://shop.example.org/${'x'.repeat(2048)}`,
    'https://pay.example.com/loop',
    'https://PAY.example.com./loop',
  ])('is refused: %s', (url) => expect(webhookUrlFault(url, live)).not.toBeNull());

  it('may hold what looks like another host where no host is', () => {
    for (const url of [
      'https://shop.example.org/@127.0.0.1/',
      'https://shop.example.org/https://127.0.0.1/',
      'https://shop.example.org?@127.0.0.1/',
      'https://shop.example.org#@127.0.0.1/',
      'https://127.0.0.1.shop.example.org/',
    ])
      expect([url, webhookUrlFault(url, live), new URL(url).hostname.endsWith('shop.example.org')]).toEqual([
        url,
        null,
        true,
      ]);
  });

  it('does not lead back to a service that is known by its address', () => {
    expect(webhookUrlFault('https://134744072/', { ...live, publicUrl: 'https://8.8.8.8' })).toMatch('this service');
    expect(
      webhookUrlFault('https://[2606:4700:0::1111]/', { ...live, publicUrl: 'https://[2606:4700::1111]' }),
    ).toMatch('this service');
  });
});

describe('A webhook URL in the sandbox', () => {
  it('may be plain and local, but not carry a password', () => {
    expect(webhookUrlFault('http://127.0.0.1:8080/hooks', sandbox)).toBeNull();
    expect(webhookUrlFault('http://user:pw@127.0.0.1:8080/', sandbox)).not.toBeNull();
    expect(webhookUrlFault('http://127.0.0.1:8080\\hooks', sandbox)).not.toBeNull();
  });
});

describe('An address', () => {
  it.each([
    '0.1.2.3',
    '10.0.0.1',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.8',
    '192.0.2.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.51.100.7',
    '203.0.113.9',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:8.8.8.8',
    '64:ff9b::808:808',
    '64:ff9b:1::1',
    '2001::1',
    '2001:db8::1',
    '2002:808:808::',
    'fc00::1',
    'fe80::1',
    'fe80::1%eth0',
    'ff02::1',
    'not an address',
    '',
  ])('%s is not public', (address) => expect(isPublicAddress(address)).toBe(false));

  it.each(['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450::1'])('%s is public', (address) =>
    expect(isPublicAddress(address)).toBe(true),
  );

  it.each([
    ['0.0.0.0', 8],
    ['10.0.0.0', 8],
    ['100.64.0.0', 10],
    ['127.0.0.0', 8],
    ['169.254.0.0', 16],
    ['172.16.0.0', 12],
    ['192.0.0.0', 24],
    ['192.168.0.0', 16],
    ['198.18.0.0', 15],
    ['224.0.0.0', 4],
    ['240.0.0.0', 4],
  ])('O10: no address of %s/%d is public, and those beside it are no part of it', (net, prefix) => {
    const first = net.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    const size = 2 ** (32 - prefix);
    fc.assert(fc.property(fc.nat(size - 1), (offset) => !isPublicAddress(ipv4(first + offset))));
    expect([isPublicAddress(ipv4(first)), isPublicAddress(ipv4(first + size - 1))]).toEqual([false, false]);
  });

  it('O12, O13: no IPv6 address that carries one of IPv4 is public, whatever it carries and however it is spelled', () => {
    const prefixes = [
      '00'.repeat(12),
      `${'00'.repeat(10)}ffff`,
      `${'00'.repeat(8)}ffff0000`,
      `0064ff9b${'00'.repeat(8)}`,
    ];
    const inside = fc
      .tuple(fc.constantFrom(...prefixes), fc.uint8Array({ minLength: 4, maxLength: 4 }))
      .map(([prefix, address]) => prefix + Buffer.from(address).toString('hex'));
    const sixToFour = fc.uint8Array({ minLength: 14, maxLength: 14 }).map((rest) => `2002${hex(rest)}`);
    const teredo = fc.uint8Array({ minLength: 12, maxLength: 12 }).map((rest) => `20010000${hex(rest)}`);
    fc.assert(
      fc.property(fc.oneof(inside, sixToFour, teredo), (bytes) =>
        spellings(bytes).every((text) => !isPublicAddress(text)),
      ),
    );
  });

  it('O13: the spelling of an IPv6 address says nothing about whether it is public', () => {
    const any = fc.uint8Array({ minLength: 15, maxLength: 15 });
    fc.assert(
      fc.property(
        fc.constantFrom('20', '24', '26', '2a', '3f', 'fc', 'fe', 'ff', '00', '01', '5f'),
        any,
        (begin, rest) => {
          const said = new Set(spellings(begin + hex(rest)).map(isPublicAddress));
          return said.size === 1;
        },
      ),
    );
  });
});

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const ipv4 = (number: number): string =>
  [24, 16, 8, 0].map((shift) => String(Math.floor(number / 2 ** shift) % 256)).join('.');

/** An IPv6 address of 32 hexadecimal digits: in full, in capitals, without leading zeros, short, with a dotted end. */
function spellings(bytes: string): string[] {
  const groups = bytes.match(/.{4}/g) ?? [];
  const full = groups.join(':');
  const short = new URL(`https://[${full}]/`).hostname.slice(1, -1);
  const dotted = `${groups.slice(0, 6).join(':')}:${ipv4(parseInt(bytes.slice(24), 16))}`;
  return [full, full.toUpperCase(), groups.map((group) => group.replace(/^0{1,3}/, '')).join(':'), short, dotted];
}
