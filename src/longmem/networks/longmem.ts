import type { NetworkKind } from "../network.ts";
import type { SideNetShape } from "../sidenet_shape.ts";
import { sideNetNetwork } from "./sidenet.ts";

/** The SideNet with its memory. */
export const longMemNetwork: NetworkKind<SideNetShape> = {
  ...sideNetNetwork,
  memory: { blocks: ({ memoryBlock }) => [memoryBlock], tells: "chunks" },
};
