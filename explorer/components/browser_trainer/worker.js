// The web worker in which a run trains.

import { Driver, IN_WORKER } from "./driver.js"

const driver = new Driver((said, moved) => postMessage(said, moved), IN_WORKER)
onmessage = ({ data }) => driver.take(data)
postMessage({ told: "ready" })
