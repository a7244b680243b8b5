/** Responses of all paths. */
import { ApiError } from "./api_error.ts";

export const headers = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

export function json(
  body: unknown,
  { status = 200, headers: more = {} }: {
    status?: number;
    headers?: Readonly<Record<string, string>>;
  } = {},
): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { ...headers, ...more, "content-type": "application/json" },
  });
}

/** Answers by the method of a request. */
export async function methods(
  request: Request,
  allowed: Readonly<Record<string, () => Response | Promise<Response>>>,
): Promise<Response> {
  if (Object.hasOwn(allowed, request.method)) return await allowed[request.method]();
  const names = Object.keys(allowed).join(", ");
  throw new ApiError(
    405,
    `Cannot answer as the method is not allowed: current value is ${request.method}, allowed are ${names}`,
    { headers: { allow: names } },
  );
}
