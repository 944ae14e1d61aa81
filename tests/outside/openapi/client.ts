// What a program in TypeScript does with the types that were made from the document. That it compiles
// is half of the test.

import createClient from "openapi-fetch";
import type { components, paths } from "./document.js";

type Comment = components["schemas"]["comments.Comment"];

function expect(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

export async function use(baseUrl: string, token: string): Promise<string> {
  const headers = { authorization: `Bearer ${token}` };
  const client = createClient<paths>({ baseUrl, headers });
  const target = "post:made-in-typescript";

  const created = await client.POST("/api/comments", { body: { target, body: "Typed *throughout*." } });
  expect(created.data !== undefined, JSON.stringify(created.error));
  const comment: Comment = created.data;

  const list = await client.GET("/api/comments", { params: { query: { target } } });
  expect(list.data?.items[0]?.id === comment.id, "the list has the comment");

  const path = { id: comment.id };
  const read = await client.GET("/api/comments/{id}", { params: { path } });
  expect(read.data?.html?.includes("<em>throughout</em>") === true, "Markdown is rendered");

  const empty = await client.POST("/api/comments", { body: { target, body: "" } });
  expect(empty.response.status === 422, "an empty body is refused");
  expect(empty.error?.code === "unprocessable", "with a problem document");

  const gone = await client.DELETE("/api/comments/{id}", { params: { path } });
  expect(gone.response.status === 204, "the comment is deleted");
  return "done";
}
