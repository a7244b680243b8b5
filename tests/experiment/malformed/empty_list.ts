/** A list that its author has not filled. */
export default [];
