import { inWindow } from "./in_window.ts";

/** A SideNet trained like LongMem's, but never with a memory. */
export const sideNetWithoutMemory = inWindow("sidenet-without-memory", {
  needs: ["sidenet", "initialized SideNet", "adaptation"],
  hasSideNet: true,
  label: "a SideNet that never had a memory",
  adaptation: {
    name: "sidenet-without-memory",
    hashName: "SideNet sidenet-without-memory",
    isAlwaysDone: ({ memory }) => memory === undefined,
    start: ({ backbone, sideNet }) => ({ backbone, sideNet }),
    network: "sidenet",
    operationsPerParameter: 6, // 2 forward, 4 backward
    fields: ["sidenet", "adaptation"],
  },
});
