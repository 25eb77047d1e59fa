/** What the API needs to know of this installation. */
export abstract class ApiSettings {
  /** What status pages and links are built from, without a slash at the end. */
  abstract readonly publicUrl: string;
  abstract readonly sandbox: boolean;
}
