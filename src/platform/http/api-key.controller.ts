import {
  createParamDecorator,
  Inject,
  Injectable,
  Logger,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../../kernel/refusal.js';
import { Applications, type Application } from './applications.pg.js';
import { RateLimit } from './rate-limit.controller.js';

const bearer = /^Bearer ([\x21-\x7e]{1,255})$/i;
const keyInQuery = /[?&](?:api_?key|key|token|access_token|authorization)=/i;

type Calling = FastifyRequest & { application?: Application };

/** Lets a request in that carries an application's key, and remembers whose it was. */
@Injectable()
export class ApiKeyGuard implements CanActivate {
  private readonly logger = new Logger('http');

  constructor(
    @Inject(Applications) private readonly applications: Applications,
    @Inject(RateLimit) private readonly limit: RateLimit,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Calling>();
    if (keyInQuery.test(request.url)) {
      this.logger.warn({
        msg: 'an API key was sent in a URL, so it has leaked',
        requestId: request.id,
        address: request.ip,
      });
      throw new Refusal(
        'key_in_url',
        'Send the key as `Authorization: Bearer <api key>`; one in a URL ends up in logs, so replace this key.',
      );
    }
    const key = bearer.exec(request.headers.authorization ?? '')?.[1];
    const application = key === undefined ? null : await this.applications.byKey(key);
    if (!application) {
      this.limit.spend('refused', request.ip);
      throw new Refusal('unauthorized', 'Send a valid key as `Authorization: Bearer <api key>`.');
    }
    const left = this.limit.spend('application', application.id);
    void context.switchToHttp().getResponse<FastifyReply>().headers(left);
    request.application = application;
    return true;
  }
}

/** The application whose key the request carried. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Application => {
  const { application } = context.switchToHttp().getRequest<Calling>();
  if (!application) throw new Error('a route that asks for its caller must be guarded by ApiKeyGuard');
  return application;
});
