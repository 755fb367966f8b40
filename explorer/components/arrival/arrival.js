// Shows a page from its top where it is another one than before, and marks its link in the bar, of
// which a phone shows a part. Streamlit leaves the new page scrolled as far as the old one was.
//
// data: { page, about }

let shown, place
const drawn = new MutationObserver(markLinks) // the links are drawn later than this, and anew

export default function arrival({ data }) {
  const next = `${data.page} ${data.about}`
  if (next === place) return
  const isFirst = place === undefined // a reload, or an address with a place in the page
  shown = data.page
  place = next
  if (!isFirst) document.querySelector("[data-testid=stMain]")?.scrollTo(0, 0)
  drawn.disconnect()
  const list = document.querySelector(".st-key-bar")
  if (list) drawn.observe(list, { childList: true, subtree: true })
  markLinks()
}

function markLinks() {
  for (const link of document.querySelectorAll(".st-key-navigation a")) mark(link)
}

function mark(link) {
  const [path] = link.getAttribute("href").split("?")
  const isHere = (path || "home") === shown
  if (isHere === link.hasAttribute("aria-current")) return
  if (!isHere) return link.removeAttribute("aria-current")
  link.setAttribute("aria-current", "page")
  link.scrollIntoView({ block: "nearest", inline: "center" })
}
