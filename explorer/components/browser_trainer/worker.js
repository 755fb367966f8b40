// The web worker in which a run trains.

import { Driver } from "./driver.js"

const driver = new Driver((said, moved) => postMessage(said, moved), 50)
onmessage = ({ data }) => driver.take(data)
