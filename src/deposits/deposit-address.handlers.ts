import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Clock, type Instant } from '../kernel/clock.js';
import { Refusal } from '../kernel/refusal.js';
import { callbackSource } from '../payments/evidence.js';
import { trackKeyScope } from '../payments/gateway-event.handlers.js';
import { InvoiceSettings, refusesUs } from '../payments/invoice-opener.handlers.js';
import { GatewayRefused, GatewayUnavailable, PaymentGateway } from '../payments/payment-gateway.js';
import type { Cause } from '../payments/payment-streams.pg.js';
import { EventStore, KeyTaken } from '../platform/event-store/event-store.pg.js';
import {
  addressDelayed,
  addressOpened,
  addressRefused,
  addressRevoked,
  isQuiet,
  nextWatch,
  retryAddress,
  type AddressTerms,
  type DepositAddress,
} from './deposit-address.js';
import { DepositAddresses, type LoadedAddress } from './deposit-addresses.pg.js';
import { AddressIntake } from './deposit-intake.handlers.js';

/** Asks for the address of a customer on a network: the one that stands, or a new one. */
export class OpenDepositAddress {
  constructor(
    readonly terms: AddressTerms,
    readonly cause: Cause,
  ) {}
}

/** Ends an address of an application. Repeated: nothing. */
export class RevokeDepositAddress {
  constructor(
    readonly id: string,
    readonly applicationId: string,
    readonly cause: Cause,
  ) {}
}

/** Gets addresses at the gateway, each by one try at a time, and looks at what came to them. */
@Injectable()
export class AddressKeeper {
  private readonly log = new Logger(AddressKeeper.name);

  constructor(
    @Inject(DepositAddresses) private readonly addresses: DepositAddresses,
    @Inject(PaymentGateway) private readonly gateway: PaymentGateway,
    @Inject(AddressIntake) private readonly intake: AddressIntake,
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(InvoiceSettings) private readonly settings: InvoiceSettings,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** Asks the gateway for an address whose try this caller has just begun. */
  async ask(begun: LoadedAddress, cause: Cause): Promise<LoadedAddress> {
    const { id, network } = begun.address.terms;
    const now = (): Instant => this.clock.now();
    try {
      const { callbackUrl } = this.settings;
      const opened = await this.gateway.openAddress({ reference: id, network, callbackUrl });
      const keys = [{ scope: trackKeyScope, key: opened.trackId }];
      const done = await this.addresses.decide(id, cause, (address) => addressOpened(address, opened, now()), { keys });
      await this.applyKept(opened.trackId, cause);
      return done;
    } catch (error) {
      if (error instanceof GatewayRefused && !refusesUs(error)) {
        const refusal = { field: error.field, detail: error.message };
        return this.addresses.decide(id, cause, (address) => addressRefused(address, refusal, now()));
      }
      const sure = error instanceof GatewayUnavailable || error instanceof GatewayRefused;
      const detail = error instanceof Error ? error.message : 'no answer';
      const { correlationId } = cause;
      this.log.warn({ msg: 'no deposit address was given', correlationId, addressId: id, detail });
      const outcome = sure ? 'unavailable' : 'unknown';
      return this.addresses.decide(id, cause, (address) => addressDelayed(address, outcome, detail, now()));
    }
  }

  /** Takes an address that the gateway has not given yet a step further, where nobody else is at it. */
  async resume(loaded: LoadedAddress, cause: Cause): Promise<LoadedAddress> {
    const { terms, opening } = loaded.address;
    const begun = await this.addresses.decide(terms.id, cause, (address) =>
      retryAddress(address, opening.attempt, this.clock.now()),
    );
    return begun.position > 0 ? this.ask(begun, cause) : begun;
  }

  /**
   * Looks at an address now: asks the gateway what came to it, because a callback may have been lost. Answers when to
   * look again (null: never); undefined where there is no such address. Throws `GatewayUnavailable`.
   */
  async look(id: string, cause: Cause): Promise<Instant | null | undefined> {
    const found = await this.addresses.find(id);
    if (found === null) return undefined;
    const { address } = found.address.status === 'opening' ? await this.resume(found, cause) : found;
    if (address.opened) {
      const report = await this.gateway.findPayment(address.opened.trackId);
      if (report) await this.intake.answered(address, report, cause);
      await this.noticeEnd(address, address.opened.trackId, cause);
    }
    return nextWatch((await this.addresses.find(id))?.address ?? address, this.clock.now());
  }

  /** The gateway ends addresses that are idle, and persons do at its panel: nobody tells us. */
  private async noticeEnd(address: DepositAddress, trackId: string, cause: Cause): Promise<void> {
    if (!isQuiet(address, this.clock.now()) || (await this.gateway.hasAddress(trackId))) return;
    const { id } = address.terms;
    const { correlationId } = cause;
    this.log.warn({ msg: 'the gateway has ended a deposit address', correlationId, addressId: id });
    await this.addresses.decide(id, cause, (current) => addressRevoked(current, 'gateway', this.clock.now()));
  }

  /** Callbacks that came before the address was recorded. */
  private async applyKept(trackId: string, { correlationId }: Cause): Promise<void> {
    const kept = await this.store.openMessages(callbackSource, trackId);
    for (const message of kept.filter(({ status }) => status === 'unmatched')) {
      const says = this.gateway.readCallback(message.body);
      if (says.kind === 'payment') await this.intake.match(message, says, { actor: 'gateway', correlationId });
    }
  }
}

/**
 * Answers with the address that now stands for the customer and network: the new one, or the one that is there already.
 * A lost answer of the gateway leaves it `opening`; it is asked again by itself.
 */
@CommandHandler(OpenDepositAddress)
export class OpenDepositAddressHandler implements ICommandHandler<OpenDepositAddress, LoadedAddress> {
  constructor(
    @Inject(DepositAddresses) private readonly addresses: DepositAddresses,
    @Inject(AddressKeeper) private readonly keeper: AddressKeeper,
  ) {}

  async execute({ terms, cause }: OpenDepositAddress): Promise<LoadedAddress> {
    const begun = await this.begin(terms, cause);
    if (begun.address.terms.id === terms.id) return this.keeper.ask(begun, cause);
    return begun.address.status === 'opening' ? this.keeper.resume(begun, cause) : begun;
  }

  private async begin(terms: AddressTerms, cause: Cause, replaces?: string): Promise<LoadedAddress> {
    try {
      return await this.addresses.begin(terms, cause, replaces);
    } catch (error) {
      if (!(error instanceof KeyTaken)) throw error;
      const holder = await this.addresses.find(error.streamId);
      if (holder === null) throw error;
      const isOver = holder.address.status === 'revoked' || holder.address.status === 'refused';
      return isOver && error.streamId !== replaces ? this.begin(terms, cause, error.streamId) : holder;
    }
  }
}

/**
 * The gateway is told first: an address is only called ended once nothing more is credited there. Throws
 * `Refusal('not_found')`, `GatewayUnavailable` and `GatewayOutcomeUnknown`; asking again is safe.
 */
@CommandHandler(RevokeDepositAddress)
export class RevokeDepositAddressHandler implements ICommandHandler<RevokeDepositAddress, LoadedAddress> {
  constructor(
    @Inject(DepositAddresses) private readonly addresses: DepositAddresses,
    @Inject(PaymentGateway) private readonly gateway: PaymentGateway,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  async execute({ id, applicationId, cause }: RevokeDepositAddress): Promise<LoadedAddress> {
    const found = await this.addresses.find(id);
    if (found?.address.terms.applicationId !== applicationId)
      throw new Refusal('not_found', 'There is no deposit address with this id.');
    const { address } = found;
    if (address.status === 'revoked' || address.status === 'refused') return found;
    await this.endAtGateway(address);
    return this.addresses.decide(id, cause, (current) => addressRevoked(current, 'application', this.clock.now()));
  }

  private async endAtGateway({ opened, terms }: DepositAddress): Promise<void> {
    if (opened) await this.gateway.revokeAddress({ address: opened.address, network: terms.network });
  }
}
