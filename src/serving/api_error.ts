/** Errors in OpenAI's form, as clients of its interface read them. */

/** Kind of an error, by its HTTP status. */
const types: Readonly<Record<number, string>> = {
  403: "permission_error",
  404: "not_found_error",
  408: "timeout_error",
  429: "rate_limit_error",
  500: "server_error",
  503: "server_error",
  504: "timeout_error",
};

export interface ApiErrorDetails {
  /** Field of the request that is wrong. */
  readonly param?: string;
  /** Word by which programs tell errors apart. */
  readonly code?: string;
  /** Further headers of the response. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request that is not answered, and why. */
export class ApiError extends Error {
  override readonly name: string = "ApiError";

  constructor(
    readonly status: number,
    message: string,
    readonly details: ApiErrorDetails = {},
  ) {
    super(message);
  }

  /** The body of the response, as an object. */
  get body(): unknown {
    const { param = null, code = null } = this.details;
    const type = types[this.status] ?? "invalid_request_error";
    return { error: { message: this.message, type, param, code } };
  }
}
