import { createSocket, type Socket } from 'node:dgram';
import { Resolver } from 'node:dns';
import { isIPv6, type AddressInfo, type LookupFunction } from 'node:net';

/** A name server on loopback that answers its n-th question with the n-th list of IPv6 addresses, then with the last. */
export class NameServer {
  questions = 0;
  private readonly socket: Socket;

  constructor(private readonly script: string[][]) {
    this.socket = createSocket('udp4', (question, from) => {
      const addresses = this.script[Math.min(this.questions++, this.script.length - 1)] ?? [];
      this.socket.send(answerTo(question, addresses), from.port, from.address);
    });
  }

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.socket.bind(0, '127.0.0.1', resolve));
    return this;
  }

  /** Asks this server and no other, and no file of the machine. */
  get lookup(): LookupFunction {
    const resolver = new Resolver({ timeout: 1000, tries: 1 });
    resolver.setServers([`127.0.0.1:${String((this.socket.address() as AddressInfo).port)}`]);
    return (name, options, callback) => {
      resolver.resolve6(name, (error, addresses) => {
        if (error) callback(error, '', 6);
        else if (options.all)
          callback(
            null,
            addresses.map((address) => ({ address, family: 6 })),
          );
        else callback(null, addresses[0] ?? '', 6);
      });
    };
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.socket.close(() => resolve()));
  }
}

/** RFC 1035: the question again, and an AAAA record with a lifetime of zero for each address. */
function answerTo(question: Buffer, addresses: string[]): Buffer {
  // Past the header: labels up to an empty one, then type and class.
  const end = question.indexOf(0, 12) + 5;
  const head = Buffer.from(question.subarray(0, 12));
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(addresses.length, 6);
  head.writeUInt32BE(0, 8);
  const records = addresses.map((address) =>
    Buffer.concat([Buffer.from([0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 0, 0, 16]), bytesOf(address)]),
  );
  return Buffer.concat([head, question.subarray(12, end), ...records]);
}

/** The 16 bytes of an IPv6 address without dots. */
export function bytesOf(address: string): Buffer {
  if (!isIPv6(address)) throw new TypeError(`${address} is no IPv6 address`);
  const [before = '', after] = address.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const missing = 8 - groups(before).length - groups(after ?? '').length;
  const all = [
    ...groups(before),
    ...Array<string>(after === undefined ? 0 : missing).fill('0'),
    ...groups(after ?? ''),
  ];
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex');
}
