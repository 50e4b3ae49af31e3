/** A sentence in the place where something is missing; screen readers are told of errors. */
import type { ComponentChildren } from "preact";
import { sentence } from "../api/client";
import { words } from "../words";

export function Notice({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="notice">
      <p class="title">{title}</p>
      {children}
    </div>
  );
}

interface FailureProps {
  error: unknown;
  again?: () => void;
  children?: ComponentChildren; // another way on
}

export function Failure({ error, again, children }: FailureProps) {
  return (
    <div class="notice failure" role="alert">
      <p class="title">{sentence(error)}</p>
      {again && (
        <button type="button" onClick={again}>
          {words.again}
        </button>
      )}
      {children}
    </div>
  );
}
