/** Filters rows of the matrix. The page can be read without it. */
export const script = `
const form = document.getElementById('filters')
const none = document.getElementById('none')
const bodies = [...document.querySelectorAll('tbody')]
const fits = (row, area) => {
  const verdicts = row.dataset.v.split(' ')
  const chosen = [...form.elements.verdict ? form.querySelectorAll('[name=verdict]:checked') : []].map((box) => box.value)
  const text = form.elements.text.value.trim().toLowerCase()
  if (chosen.length > 0 && !chosen.some((verdict) => verdicts.includes(verdict))) return false
  if (form.elements.level.value !== '' && form.elements.level.value !== row.dataset.level) return false
  if (form.elements.area.value !== '' && form.elements.area.value !== area) return false
  if (form.elements.differing && form.elements.differing.checked && verdicts.length < 2) return false
  return text === '' || row.firstElementChild.textContent.toLowerCase().includes(text)
}
const filter = () => {
  let shown = 0
  let all = 0
  for (const body of bodies) {
    const rows = [...body.querySelectorAll('tr[data-v]')]
    for (const row of rows) row.hidden = !fits(row, body.dataset.area)
    const left = rows.filter((row) => !row.hidden).length
    body.hidden = left === 0
    shown += left
    all += rows.length
  }
  none.hidden = shown > 0
  form.elements.shown.value = shown === all ? all + ' requirements' : shown + ' of ' + all + ' requirements'
}
form.addEventListener('input', filter)
form.addEventListener('submit', (event) => event.preventDefault())
form.hidden = false
filter()
`
