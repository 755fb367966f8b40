// Has the page drawn anew where the theme is another one than before.
import { readTheme, whenQuiet } from "../shared.js"

let shown, forget

export default function theme({ parentElement, setTriggerValue }) {
  const { background } = readTheme(parentElement)
  if (background === shown) return
  const isFirst = shown === undefined
  shown = background
  forget?.()
  if (!isFirst) forget = whenQuiet(() => setTriggerValue("changed", true))
}
