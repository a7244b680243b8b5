import { checkTrained } from "../model_kind.ts";
import { inWindow } from "./in_window.ts";

/** A SideNet trained like LongMem's, but never with a memory. */
export const sideNetWithoutMemory = inWindow("sidenet-without-memory", {
  needs: ["sidenet", "initialized SideNet", "adaptation"],
  training: "sidenet-without-memory",
  hasSideNet: true,
  label: "a SideNet that never had a memory",
  network: "sidenet",
  partsOf: ({ sideNets }, { name }) => ({ sideNet: checkTrained(sideNets?.withoutMemory, name) }),
});
