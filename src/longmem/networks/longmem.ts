import type { NetworkKind } from "../network.ts";
import { sideNetNetwork, sideNetPass } from "./sidenet.ts";

/** The SideNet with its memory. */
export const longMemNetwork: NetworkKind = {
  ...sideNetNetwork,
  name: "longmem",
  remembers: true,
  rememberedBlocks: ({ sideNet }) => [sideNet!.shape.memoryBlock],
  forward: sideNetPass,
};
